"""Draws the images of the README again, from the rendered videos.

    make demo-page                              # in another terminal, until it is ready
    python docs/images/make_images.py           # writes page.png and timeline.png beside this file

It needs Chromium, and playwright from the extra `dev`.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ecm_localizer import Client

HERE = Path(__file__).parent
WINDOW = {"width": 1440, "height": 900}
SHOWN_S = 30.5
"""Time of the shown frame, within a segment of the last video."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    with Client(options.url) as client:
        job = client.jobs(limit=1).jobs[0]
        video = client.localize(client_uri(job.name), include="cas")
        video.plot(title=job.name or "").savefig(HERE / "timeline.png", dpi=110)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport=WINDOW)
        page.goto(f"{options.url}/#/job/{job.id}?t={SHOWN_S}")
        draw_page(page)
        browser.close()


def draw_page(page: Page) -> None:
    """Writes the page once its time line is drawn and its video shows a frame."""
    page.wait_for_load_state("networkidle")
    page.locator("video").wait_for()
    page.wait_for_timeout(3000)  # the frame at the time of the link is decoded
    page.screenshot(path=HERE / "page.png")


def client_uri(name: str | None) -> str:
    """Returns the URI of a rendered video of seed 0."""
    return (Path("demo/page/seed_0/videos") / str(name)).resolve().as_uri()


if __name__ == "__main__":
    main()

"""Frames per second of the page's time line on a long video, in Chromium.

    python benchmarks/page.py
    python benchmarks/page.py --hours 10 --segments 5000 --classes 20 --snippets 20000

One step is taken in each frame of the screen: a zoom from the whole video to ten seconds and back,
a pan through the video with ten minutes in view, and playing at 16 times the speed with one minute
in view. A frame time is the time between two frames of the screen, so 16.7 ms is the least at
60 Hz. The work is the part of a frame in which the time line draws.
"""

import argparse
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright
from record import Record, add_json_option

PAGE = Path(__file__).parents[1] / "service" / "page"
SCRIPT = Path(__file__).with_suffix(".js")
SCREEN, SCREEN_FPS = "screen", 60.0
"""The most frames that a screen shows."""
MOTIONS = ("zoom", "pan", "play")
SHEETS = ("tokens", "base", "timeline")
HTML = """<!doctype html><title>Time line</title><main id=main></main>
<script type=module src=/page.js></script>""" + "".join(
    f"<link rel=stylesheet href=/page/style/{sheet}.css>" for sheet in SHEETS
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--segments", type=int, default=5_000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--snippets", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=300, help="frames of each motion")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser")
    add_json_option(parser)
    arguments = parser.parse_args()
    record = Record("The time line of the page", [SCREEN])
    with _served() as url, _opened(url, arguments.chromium) as page:
        facts = {name: getattr(arguments, name) for name in ("segments", "classes", "snippets")}
        page.evaluate("(facts) => show(facts)", {"durationS": arguments.hours * 3600} | facts)
        for motion in MOTIONS:
            times = page.evaluate("([m, n]) => measure(m, n)", [motion, arguments.frames])
            record.add(motion, SCREEN, {"frames/s": SCREEN_FPS})
            record.add(motion, "time line", _figures(times))
        print(f"colours drawn: {page.evaluate('colours()')}, elements of the page: "
              f"{page.evaluate('document.querySelectorAll(`*`).length')}")  # fmt: skip
    record.finish(arguments.json)


def _figures(times: dict[str, list[float]]) -> dict[str, float]:
    frames_ms, work_ms = np.array(times["framesMs"]), np.array(times["workMs"])
    return {
        "frames/s": 1000 / frames_ms.mean(),
        "median ms": float(np.median(frames_ms)),
        "worst ms": frames_ms.max(),
        "work ms": float(np.median(work_ms)),
    }


class _Files(SimpleHTTPRequestHandler):
    """The files of the page at /page/, without a service."""

    def do_GET(self) -> None:
        own = {"/": ("text/html", HTML), "/page.js": ("text/javascript", SCRIPT.read_text())}
        if self.path not in own:
            return super().do_GET()
        media_type, text = own[self.path]
        self.send_response(200)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())
        return None

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/page"))

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@contextmanager
def _served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(PAGE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _opened(url: str, chromium: str | None) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        yield page
        browser.close()


if __name__ == "__main__":
    main()

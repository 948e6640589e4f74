"""The page over plain http from another computer, where browsers keep some of their parts back."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from reliability.server import Target
from tests.page.conftest import OTHER_HOST, OpenPage


@pytest.fixture
def start(open_page: OpenPage, server: Target) -> Page:
    """The start view of a page without clipboard and `crypto.randomUUID`."""
    page = open_page(f"http://{OTHER_HOST}:{server.port}")
    page.goto("/")
    expect(page.get_by_role("region", name="Model")).to_contain_text("moves")
    assert not page.evaluate("isSecureContext || Boolean(crypto.randomUUID || navigator.clipboard)")
    return page


def test_details_of_an_upload_that_failed_are_copied(start: Page, tmp_path: Path) -> None:
    """The upload gets its name, and the details are in the clipboard."""
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"\0" * 4096)
    start.locator("input[type=file]").set_input_files(damaged)
    message = start.get_by_role("alert").filter(has_text="was not localized")
    message.get_by_text("Details", exact=True).click()
    message.get_by_role("button", name="Copy").click()
    expect(start.get_by_text("Copied the details.").first).to_be_visible()
    start.get_by_role("link", name="Videos").click()
    start.get_by_role("tab", name="Server folder").click()
    field = start.get_by_role("searchbox")
    field.press("Control+v")
    expect(field).to_have_value(re.compile("Type: unusable-input"))


def test_video_of_the_server_becomes_a_job(start: Page, videos: Path, clip: Path) -> None:
    """A job by URI gets its name, too."""
    shutil.copy(clip, videos / "plain.mp4")
    start.get_by_role("tab", name="Server folder").click()
    start.get_by_role("button", name="videos").click()
    start.get_by_role("button", name="plain.mp4").click()
    expect(start.get_by_role("region", name="Segments")).to_be_visible()

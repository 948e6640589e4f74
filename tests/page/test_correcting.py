"""Correcting the segments of a video, by mouse and keyboard."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Download, Locator, Page, expect

from reliability.server import Target
from tests.page.conftest import PHONE, OpenPage
from tests.page.test_result import SHOWN, opened, rows, truth_file, truth_of
from training.datasets.annotations import read_annotations


@pytest.fixture
def correcting(page: Page, done_job: str) -> Page:
    """The result of the clip while somebody corrects it; its best segment is selected."""
    opened(page, done_job)
    page.keyboard.press("e")
    rows(page).nth(1).click()
    expect(tool(page, "Accept")).to_be_enabled()
    return page


def tool(page: Page, name: str) -> Locator:
    """A button of the tool bar."""
    bar = page.get_by_role("toolbar", name="Correct the selected segment")
    return bar.get_by_role("button", name=name)


def edge(page: Page, name: str) -> Locator:
    """The field with the time of an edge."""
    return page.get_by_role("textbox", name=f"{name} of the segment")


def changes(page: Page) -> Locator:
    """The list of changes."""
    return page.get_by_role("region", name="Changes")


@pytest.mark.parametrize("by_key", [True, False], ids=["key", "mouse"])
@pytest.mark.parametrize(
    ("name", "key", "change", "count"),
    [
        ("Accept", "a", "Accepted", SHOWN),
        ("Reject", "x", "Rejected", SHOWN),
        ("Merge", "m", "Merged", SHOWN - 1),
    ],
)
def test_selected_segment_is_corrected(
    correcting: Page, name: str, key: str, change: str, count: int, *, by_key: bool
) -> None:
    """A key and a button do the same; undo takes it back, and redo does it again."""
    if by_key:
        correcting.keyboard.press(key)
    else:
        tool(correcting, name).click()
    expect(changes(correcting)).to_contain_text(change)
    expect(rows(correcting)).to_have_count(count)
    expect(changes(correcting)).to_contain_text("1 not saved")
    correcting.get_by_role("banner").get_by_role("button", name="Undo").click()
    expect(rows(correcting)).to_have_count(SHOWN)
    expect(correcting.locator(".change.undone")).to_contain_text(change)
    correcting.keyboard.press("Control+Shift+Z")
    expect(rows(correcting)).to_have_count(count)
    expect(correcting.get_by_text("1 correction not saved")).to_be_visible()


def test_next_unchecked_is_selected_after_accept_and_reject(correcting: Page) -> None:
    """Checking goes through the segments by time, and begins again at the first."""
    correcting.keyboard.press("a")
    expect(rows(correcting).nth(2)).to_have_attribute("aria-selected", "true")
    correcting.keyboard.press("x")
    expect(rows(correcting).nth(0)).to_have_attribute("aria-selected", "true")
    expect(rows(correcting).nth(2)).to_have_class(re.compile("rejected"))
    expect(correcting.get_by_text(f"2 of {SHOWN} checked")).to_be_visible()
    expect(correcting.get_by_text("Rejected jump 00:01.9.").first).to_be_visible()
    correcting.keyboard.press("u")
    expect(rows(correcting).nth(0)).to_have_attribute("aria-selected", "true")


def test_segment_gets_another_class(correcting: Page) -> None:
    """By its number, by a click, or by a word in the field that L opens."""
    correcting.keyboard.press("2")
    expect(rows(correcting).nth(1)).to_contain_text("run")
    correcting.get_by_role("option", name="jump").click()
    expect(rows(correcting).nth(1)).to_contain_text("jump")
    correcting.keyboard.press("l")
    field = correcting.get_by_role("searchbox", name="Find a class for this segment")
    expect(field).to_be_focused()
    field.fill("ru")
    field.press("Enter")
    expect(rows(correcting).nth(1)).to_contain_text("run")
    expect(changes(correcting)).to_contain_text("3 not saved")


def test_edges_move_by_frames_and_snippets(correcting: Page) -> None:
    """Brackets move the start, braces the end; times have milliseconds; steps are one change."""
    expect(edge(correcting, "Start")).to_have_value("00:01.859")
    for _ in range(3):
        correcting.keyboard.press("]")
    expect(edge(correcting, "Start")).to_have_value("00:01.979")
    expect(changes(correcting)).to_contain_text("Start +0.12 s")
    expect(changes(correcting)).to_contain_text("1 not saved")
    correcting.keyboard.press("[")
    correcting.keyboard.press("{")
    expect(edge(correcting, "End")).to_have_value("00:02.982")
    correcting.get_by_role("radio", name="Snippet").click()
    correcting.get_by_role("button", name="Move the end on").click()
    expect(edge(correcting, "End")).to_have_value("00:03.582")
    correcting.keyboard.press("k")
    expect(correcting.get_by_role("radio", name="Frame")).to_be_checked()
    correcting.keyboard.press("Control+z")
    expect(edge(correcting, "End")).to_have_value("00:02.982")


def test_brackets_of_altgr_move_an_edge(correcting: Page) -> None:
    """A keyboard whose brackets need AltGr sends Ctrl and Alt with them."""
    correcting.evaluate(
        """() => document.body.dispatchEvent(new KeyboardEvent("keydown",
          { key: "]", ctrlKey: true, altKey: true, modifierAltGraph: true, bubbles: true }))"""
    )
    expect(edge(correcting, "Start")).to_have_value("00:01.899")


def test_typed_time_moves_an_edge(correcting: Page) -> None:
    """A time is typed as it is shown; a text that is none changes nothing."""
    edge(correcting, "End").fill("0:2.5")
    edge(correcting, "End").press("Enter")
    expect(edge(correcting, "End")).to_have_value("00:02.500")
    edge(correcting, "End").fill("<b>")
    edge(correcting, "End").press("Enter")
    expect(edge(correcting, "End")).to_have_value("00:02.500")
    edge(correcting, "Start").fill("9:59")
    edge(correcting, "Start").press("Enter")
    expect(edge(correcting, "Start")).to_have_value("00:02.499")


def test_segment_is_split_at_the_playhead(correcting: Page) -> None:
    """Both parts are corrections; outside of the segment, a sentence says what to do."""
    correcting.keyboard.press("s")
    expect(correcting.get_by_text("Move the playhead into the segment").first).to_be_visible()
    correcting.keyboard.press("ArrowRight")
    tool(correcting, "Split").click()
    expect(rows(correcting)).to_have_count(SHOWN + 1)
    expect(changes(correcting)).to_contain_text("Split")


def test_segment_is_added_by_two_presses(correcting: Page) -> None:
    """The first press is one edge, the second the other; Delete removes it again."""
    correcting.keyboard.press("Shift+ArrowRight")
    correcting.keyboard.press("i")
    expect(tool(correcting, "End here")).to_have_attribute("aria-pressed", "true")
    correcting.keyboard.press("ArrowRight")
    correcting.keyboard.press("i")
    expect(rows(correcting)).to_have_count(SHOWN + 1)
    expect(rows(correcting).nth(SHOWN)).to_contain_text("00:11.9")
    expect(rows(correcting).nth(SHOWN)).to_have_attribute("aria-selected", "true")
    correcting.keyboard.press("Delete")
    expect(rows(correcting)).to_have_count(SHOWN)
    expect(changes(correcting)).to_contain_text("Removed")


def test_click_on_a_change_undoes_to_there(correcting: Page) -> None:
    """Every line of the changes is a place in the history, also those that were undone."""
    for key in "ax":
        correcting.keyboard.press(key)
    correcting.get_by_role("button", name="As found").click()
    expect(correcting.get_by_text(f"0 of {SHOWN} checked")).to_be_visible()
    changes(correcting).get_by_role("button", name="Rejected").click()
    expect(correcting.get_by_text(f"2 of {SHOWN} checked")).to_be_visible()


def test_drafts_survive_a_reload(correcting: Page) -> None:
    """Corrections that are not saved are there again, and can be undone."""
    correcting.keyboard.press("x")
    expect(correcting.get_by_text("1 correction not saved")).to_be_visible()
    correcting.reload()
    expect(correcting.get_by_text("1 correction not saved")).to_be_visible()
    expect(rows(correcting).nth(1)).to_have_class(re.compile("rejected"))
    correcting.keyboard.press("e")
    correcting.keyboard.press("Control+z")
    expect(correcting.get_by_text("1 correction not saved")).to_be_hidden()


def test_leaving_asks_for_corrections_that_are_not_saved(correcting: Page) -> None:
    """Stay keeps the view; Discard forgets the corrections."""
    correcting.keyboard.press("a")
    correcting.get_by_role("link", name="Videos").click()
    expect(correcting.get_by_role("dialog", name="Save 1 correction?")).to_be_visible()
    correcting.get_by_role("button", name="Stay").click()
    expect(rows(correcting)).to_have_count(SHOWN)
    address = correcting.url
    correcting.get_by_role("link", name="Videos").click()
    correcting.get_by_role("button", name="Discard").click()
    expect(correcting.get_by_role("heading", name="Find when actions happen")).to_be_visible()
    correcting.goto(address)
    expect(rows(correcting)).to_have_count(SHOWN)
    expect(correcting.get_by_text("1 correction not saved")).to_be_hidden()


def saved(download: Download, folder: Path) -> Path:
    """Returns the file of a download."""
    path = folder / download.suggested_filename
    download.save_as(path)
    return path


def test_saved_corrections_are_an_annotations_file(correcting: Page, tmp_path: Path) -> None:
    """The download is read by training; nothing is left to save."""
    correcting.keyboard.press("a")
    correcting.keyboard.press("x")
    with correcting.expect_download() as download:
        correcting.keyboard.press("Control+s")
    path = saved(download.value, tmp_path)
    assert path.name == "moving shapes.corrections.json"
    (video,) = read_annotations(path)
    assert (video.id, video.labels) == ("moving shapes", ("jump",))
    (time,) = video.instances
    assert (time.start_s, time.end_s) == pytest.approx((1.8589, 3.0217), abs=1e-3)
    expect(correcting.get_by_text("Saved 2 corrections").first).to_be_visible()
    expect(changes(correcting)).to_contain_text("all saved")
    correcting.get_by_role("link", name="Videos").click()
    expect(correcting.get_by_role("heading", name="Find when actions happen")).to_be_visible()


def test_saved_corrections_keep_the_subset_of_the_ground_truth(correcting: Page) -> None:
    """A video to measure on does not become one to learn from."""
    correcting.keyboard.press("e")
    truth_file(correcting, "truth.json", truth_of("moving shapes"))
    expect(correcting.get_by_role("heading", name="mAP of this video")).to_be_visible()
    correcting.keyboard.press("e")
    correcting.keyboard.press("a")
    with correcting.expect_download() as download:
        correcting.keyboard.press("Control+s")
    entry = json.loads(download.value.path().read_text())["database"]["moving shapes"]
    assert entry["subset"] == "validation"


def test_stop_correcting_keeps_the_corrections(correcting: Page) -> None:
    """The list shows what was checked; the buttons of looking are there again."""
    correcting.keyboard.press("a")
    correcting.get_by_role("button", name="Stop correcting").click()
    expect(correcting.get_by_role("button", name="Export")).to_be_visible()
    expect(rows(correcting).nth(1)).to_have_class(re.compile("accepted"))


def test_correcting_is_accessible(
    correcting: Page, assert_accessible: Callable[[Page], None]
) -> None:
    """axe-core finds no violation while somebody corrects."""
    correcting.keyboard.press("x")
    expect(changes(correcting)).to_contain_text("Rejected")
    assert_accessible(correcting)


def test_phone_corrects_too(
    open_page: OpenPage, server: Target, done_job: str, assert_accessible: Callable[[Page], None]
) -> None:
    """At 390 px, classes and changes are tabs, and nothing is cut off."""
    page = opened(open_page(server.url, viewport=PHONE), done_job)
    page.get_by_role("button", name="Correct").click()
    full = page.get_by_role("button", name="Full screen").bounding_box()
    assert full is not None
    assert full["x"] + full["width"] <= 390
    rows(page).first.click()
    tool(page, "Accept").click()
    page.get_by_role("tab", name="Changes").click()
    expect(changes(page)).to_contain_text("Accepted")
    page.get_by_role("tab", name="Class").click()
    expect(page.get_by_role("option", name="run")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert_accessible(page)

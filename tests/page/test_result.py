"""The result of a video: list, classes, sliders, ground truth, links, by mouse and keyboard."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from reliability.server import Target
from tests.page.conftest import PHONE, OpenPage

# The small model finds 31 segments in the clip; three have a score of 0.20 or more.
FOUND, SHOWN = 31, 3
COPYING = {"permissions": ["clipboard-read", "clipboard-write"]}


def opened(page: Page, job: str, params: str = "") -> Page:
    """Opens the result of a job and waits for its list and its activation."""
    page.goto(f"/#/job/{job}{params}")
    expect(rows(page).first).to_be_visible()
    return page


@pytest.fixture
def result(page: Page, done_job: str) -> Page:
    """The result of the clip."""
    return opened(page, done_job)


def rows(page: Page) -> Locator:
    """The rows of the list that are in view."""
    return page.locator("#segments [role=rowgroup] [role=row][aria-selected]")


def starts(page: Page) -> list[str]:
    """Starts of the segments in the list, in its order."""
    return rows(page).locator(".cell-start").all_text_contents()


def slider(page: Page, name: str) -> Locator:
    """The number field beside a slider."""
    return page.get_by_role("spinbutton", name=f"{name}, number")


def test_list_shows_segments_from_a_score_of_0_20(result: Page) -> None:
    """Nested duplicates with low scores are left out at the start, which the heading says."""
    expect(rows(result)).to_have_count(SHOWN)
    expect(result.get_by_text(f"shows {SHOWN} of {FOUND}")).to_be_visible()
    expect(rows(result).first).to_contain_text("jump")


def test_headings_and_the_key_t_sort_the_list(result: Page) -> None:
    """A heading sorts, and again in the other direction."""
    assert sorted(starts(result)) == starts(result)
    start = result.get_by_role("columnheader", name="Start")
    start.get_by_role("button").click()
    expect(start).to_have_attribute("aria-sort", "descending")
    expect(rows(result).first.locator(".cell-start")).to_have_text("00:01.9")
    result.keyboard.press("t")
    score = result.get_by_role("columnheader", name="Score")
    expect(score).to_have_attribute("aria-sort", "descending")
    expect(rows(result).first.locator(".cell-score")).to_have_text("1.64")


@pytest.mark.parametrize("by_key", [True, False], ids=["Enter", "click"])
def test_row_plays_its_segment_and_stops_at_its_end(result: Page, *, by_key: bool) -> None:
    """A click does what Enter does."""
    result.get_by_role("combobox", name="Speed").select_option("4")
    if by_key:
        result.get_by_role("grid", name="Segments").press("End")
        result.keyboard.press("Enter")
    else:
        rows(result).nth(2).click()
    expect(rows(result).nth(2)).to_have_attribute("aria-selected", "true")
    expect(result.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(result.locator(".controls .time")).to_have_text("00:03.0")


def test_arrow_keys_in_the_list_select_and_seek(result: Page) -> None:
    """They go to the start of a segment, and do not play it."""
    grid = result.get_by_role("grid", name="Segments")
    grid.press("Home")
    grid.press("ArrowDown")
    expect(rows(result).nth(1)).to_have_attribute("aria-selected", "true")
    expect(result.locator(".controls .time")).to_have_text("00:01.9")
    grid.press("ArrowUp")
    expect(rows(result).nth(0)).to_have_attribute("aria-selected", "true")
    expect(result.locator(".controls .time")).to_have_text("00:00.0")
    result.keyboard.press("End")
    expect(rows(result).nth(2)).to_have_attribute("aria-selected", "true")


def test_skip_link_leads_to_the_list(open_page: OpenPage, server: Target, done_job: str) -> None:
    """The first Tab stop of a fresh page leads to the segments."""
    page = opened(open_page(server.url), done_job)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the segments")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("grid", name="Segments")).to_be_focused()


def test_list_is_filtered_by_class_and_by_find(result: Page) -> None:
    """A class without segments leaves a sentence; Esc brings all back."""
    result.keyboard.press("/")
    field = result.get_by_role("searchbox", name="Find a class in the list")
    expect(field).to_be_focused()
    field.fill("walk")
    expect(result.get_by_text("No segment of “walk” is left.")).to_be_visible()
    field.press("Escape")
    expect(rows(result)).to_have_count(SHOWN)
    result.get_by_role("button", name="All classes").click()
    result.get_by_role("menuitemradio", name="jump").click()
    expect(rows(result)).to_have_count(SHOWN)
    expect(result.locator("#segments").get_by_role("button", name="jump")).to_be_visible()


def test_lowest_score_is_applied_without_a_request(result: Page) -> None:
    """The page itself leaves out segments, so that the slider acts while it moves."""
    calls: list[Request] = []
    result.on("request", lambda one: calls.append(one))  # of Playwright
    slider(result, "Lowest score").fill("0")
    slider(result, "Lowest score").press("Enter")
    expect(result.get_by_text(f"shows {FOUND} of {FOUND}")).to_be_visible()
    slider(result, "Most segments").fill("5")
    slider(result, "Most segments").press("Enter")
    expect(result.get_by_text(f"shows 5 of {FOUND}")).to_be_visible()
    result.get_by_role("button", name="Reset").click()
    expect(result.get_by_text(f"shows {SHOWN} of {FOUND}")).to_be_visible()
    assert not [one for one in calls if "/activations/" in one.url]


def test_nms_is_sent_once_its_slider_moved(result: Page) -> None:
    """The class threshold is asked for alone, because `nms_iou` changes the kind of NMS."""
    bodies: list[Any] = []
    result.on("request", lambda one: bodies.append(one.post_data_json)
              if one.method == "POST" and "/activations/" in one.url else None)  # fmt: skip
    with result.expect_response(re.compile("/activations/.*/localize")):
        result.get_by_role("slider", name="Class threshold").press("ArrowRight")
    with result.expect_response(re.compile("/activations/.*/localize")):
        result.get_by_role("slider", name="Overlap allowed (NMS)").press("ArrowLeft")
    assert bodies == [{"class_threshold": 0.21}, {"class_threshold": 0.21, "nms_iou": 0.59}]
    expect(slider(result, "Class threshold")).to_have_value("0.21")


def test_newest_search_wins(modules: Page) -> None:
    """While a search runs, only the newest of the next ones is kept."""
    done = modules.evaluate(
        """async () => {
          const { newestWins } = await import("./page/scripts/panels/asking.js");
          const [done, ends] = [[], []];
          const run = (one) => new Promise((end) => { done.push(one); ends.push(end); });
          const ask = newestWins(run);
          const all = [ask(1), ask(2), ask(3)];
          ends[0](); await null; await null; await null;
          ends[1]?.(); await Promise.all(all);
          return done;
        }"""
    )
    assert done == [1, 3]


def test_empty_list_offers_the_value_that_helps(result: Page) -> None:
    """Without a class above the threshold, a button lowers it to the best one."""
    slider(result, "Class threshold").fill("0.9")
    slider(result, "Class threshold").press("Enter")
    words = "The best class is jump with 0.74; the threshold is 0.90."
    expect(result.locator("#segments").get_by_text(words)).to_be_visible()
    result.get_by_role("button", name="Lower it to 0.74").click()
    expect(rows(result)).to_have_count(SHOWN)
    slider(result, "Lowest score").fill("1.64")
    slider(result, "Lowest score").press("Enter")
    words = "No segment has a score of 1.64 or more. The best has 1.64."
    expect(result.get_by_text(words)).to_be_visible()
    result.get_by_role("button", name="Lower it to 1.63").click()
    expect(rows(result)).to_have_count(1)


def test_box_of_a_class_hides_its_lane(result: Page) -> None:
    """A class bar is a meter with a box that shows its lane."""
    meter = result.get_by_role("meter", name="Score of jump")
    expect(meter).to_have_attribute("aria-valuetext", "0.74")
    box = result.get_by_role("checkbox", name="Lane of jump")
    expect(box).to_be_checked()
    box.uncheck()
    expect(result.get_by_text("1 of 2 classes")).to_be_visible()
    box.check()
    expect(result.get_by_text("2 of 2 classes")).to_be_visible()


def test_settings_are_copied_as_a_command_line_and_json(
    open_page: OpenPage, server: Target, done_job: str
) -> None:
    """The settings of the sliders are a command that a shell takes, and JSON."""
    page = opened(open_page(server.url, **COPYING), done_job)
    page.get_by_role("button", name="Copy as settings").click()
    expect(page.get_by_text("Copied the command line and the JSON.").first).to_be_visible()
    command, settings = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert command == (
        f"ecm localize 'moving shapes.mp4' --url {server.url}/ --model moves --version 1 "
        "--min-score 0.2"
    )
    assert json.loads(settings) == {"min_score": 0.2}


def test_link_leads_to_video_time_and_settings(
    open_page: OpenPage, server: Target, done_job: str
) -> None:
    """Another person sees the same segments at the same time."""
    page = opened(open_page(server.url, **COPYING), done_job)
    for key in ("Home", "ArrowDown"):
        page.get_by_role("grid", name="Segments").press(key)
    slider(page, "Lowest score").fill("0")
    slider(page, "Lowest score").press("Enter")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("menuitem", name="Copy link to this view").click()
    link = page.evaluate("navigator.clipboard.readText()")
    other = open_page(server.url)
    other.goto(link)
    expect(other.get_by_text(f"shows {FOUND} of {FOUND}")).to_be_visible()
    expect(other.locator(".controls .time")).to_have_text("00:01.9")


@pytest.mark.parametrize(
    ("format_", "ending"),
    [
        ("CSV table", "csv"),
        ("EDL, CMX 3600", "edl"),
        ("Cut at key frames, fast", "zip"),
        ("Cut exactly, slower", "zip"),
    ],
)
def test_segments_are_exported(result: Page, format_: str, ending: str) -> None:
    """The menu names how many segments it takes; the file has the name of the video."""
    result.get_by_role("button", name="Export").click()
    expect(result.get_by_text(f"Segments, as shown: {SHOWN}")).to_be_visible()
    with result.expect_download() as download:
        result.get_by_role("menuitem", name=format_).click()
    assert download.value.suggested_filename.startswith("moving shapes")
    assert download.value.suggested_filename.endswith(ending)


def truth_file(page: Page, name: str, content: object) -> None:
    """Chooses an annotations file as ground truth."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Ground truth").click()
    body = content if isinstance(content, str) else json.dumps(content)
    file = {"name": name, "mimeType": "application/json", "buffer": body.encode()}
    chooser.value.set_files([file])  # type: ignore[list-item]  # a TypedDict in the stubs


def truth_of(name: str) -> dict[str, Any]:
    """Returns annotations of one video: the best segment of the clip, and one that is missed."""
    entry = {"subset": "validation", "duration": 20, "annotations": [
        {"label": "jump", "segment": [1.9, 3.0]}, {"label": "run", "segment": [8, 9]}]}  # fmt: skip
    return {"database": {name: entry}}


def test_ground_truth_gives_the_map_of_the_video(result: Page) -> None:
    """One of two classes is found, so that the mAP is half of that one's AP."""
    truth_file(result, "truth.json", truth_of("moving shapes"))
    expect(result.get_by_role("heading", name="mAP of this video")).to_be_visible()
    expect(result.get_by_text("2 true segments")).to_be_visible()
    expect(result.get_by_role("row", name="0.5 50.0")).to_be_visible()
    expect(result.get_by_role("row", name="Found 1")).to_be_visible()
    result.get_by_role("button", name="Ground truth truth.json, take it away").click()
    expect(result.get_by_role("heading", name="mAP of this video")).to_be_hidden()


def test_annotations_of_another_video_are_named(result: Page) -> None:
    """The page says which video is absent and which are there, and takes one that is chosen."""
    name = '<img src=x onerror="fail()"> 🏋'
    truth_file(result, "truth.json", truth_of(name))
    expect(result.get_by_text("The annotations are of another video")).to_be_visible()
    words = f"truth.json has no “moving shapes”. It has “{name}” only."
    expect(result.get_by_text(words)).to_be_visible()
    result.get_by_role("button", name="Choose it").click()
    expect(result.get_by_role("heading", name="mAP of this video")).to_be_visible()


def test_a_file_without_annotations_is_refused(result: Page) -> None:
    """A file of another format is refused in a sentence."""
    truth_file(result, "truth.json", {"results": {}})
    words = (
        'truth.json is not in ActivityNet\'s format: "database" is missing. Choose another file.'
    )
    expect(result.get_by_text(words)).to_be_visible()


def test_grip_resizes_the_halves(result: Page) -> None:
    """Arrow keys move the border; a double click puts it back."""
    grip = result.get_by_role("separator", name="Height of the time line")
    region = result.locator(".timeline-card")
    before = region.bounding_box()
    grip.focus()
    grip.press("ArrowUp")
    moved = region.bounding_box()
    assert before is not None
    assert moved is not None
    assert moved["height"] > before["height"]
    grip.dblclick()
    assert region.bounding_box() == before


def test_long_list_keeps_the_rows_in_view_only(page: Page) -> None:
    """Of 5,000 segments, a few dozen rows exist, and the grid says how many there are."""
    expect(page.get_by_role("heading", name="Find when actions happen")).to_be_visible()
    counts = page.evaluate(
        """async () => {
          const { Session } = await import("./page/scripts/result/session.js");
          const { SegmentList } = await import("./page/scripts/panels/list/list.js");
          const segments = Array.from({ length: 5000 }, (_, index) =>
            ({ label: "jump", start_s: index * 7, end_s: index * 7 + 5, score: 0.5 }));
          const session = new Session({ job: null, name: "a", model: { name: "m", version: 1 },
            durationS: 36000, frameRate: 25, labels: ["jump"],
            result: { duration_s: 36000, snippets: 9, segments,
              classes: [{ label: "jump", score: 1 }] },
            defaults: { classThreshold: 0.2, nmsIou: 0.6, minScore: null, maxSegments: null } });
          const root = document.createElement("section");
          root.className = "panel segments";
          root.style.height = "400px";
          document.getElementById("main").replaceChildren(root);
          const list = new SegmentList(root, session, new AbortController().signal);
          session.select(session.segments[4000].id, { seek: true });
          for (let frame = 0; frame < 5; frame += 1) await new Promise(requestAnimationFrame);
          const kept = root.querySelectorAll("[data-segment]").length;
          const selected = root.querySelector("[aria-selected=true]").textContent;
          return { kept, selected, count: list.grid.getAttribute("aria-rowcount") };
        }"""
    )
    assert counts["kept"] < 60
    assert "7:46:40.0" in counts["selected"]
    assert counts["count"] == "5001"


def test_result_is_accessible(result: Page, assert_accessible: Callable[[Page], None]) -> None:
    """axe-core finds no violation in the result."""
    truth_file(result, "truth.json", truth_of("moving shapes"))
    expect(result.get_by_role("heading", name="mAP of this video")).to_be_visible()
    assert_accessible(result)


def test_phone_has_tabs_for_the_panels(
    open_page: OpenPage, server: Target, done_job: str, assert_accessible: Callable[[Page], None]
) -> None:
    """At 390 px, player and time line stay, and tabs show one panel each; nothing is cut off."""
    page = opened(open_page(server.url, viewport=PHONE), done_job)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("tab", name="Find again").click()
    expect(page.get_by_role("slider", name="Class threshold")).to_be_visible()
    expect(rows(page).first).to_be_hidden()
    page.get_by_role("tab", name="Find again").press("ArrowLeft")
    expect(page.get_by_role("checkbox", name="Lane of jump")).to_be_visible()
    expect(page.locator("video")).to_be_visible()
    assert_accessible(page)
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320

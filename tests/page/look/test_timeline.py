"""The time line: pointer, wheel, keys, overview, handles, what it says aloud."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from reliability.server import Target
from tests.page.conftest import OpenPage
from tests.page.look.conftest import Mount, mount_on, until


def at(page: Page, time_s: float, label: str = "run", *, y: float = 20) -> tuple[float, float]:
    """Returns the pixel of the window for a time on the lane of a label."""
    settle(page)
    x, top = page.evaluate(
        """([timeS, label]) => {
            const { left, top } = timeline.nodes.canvas.getBoundingClientRect();
            return [left + timeline.scale.x(timeS), top + timeline.model.lane(label).top];
        }""",
        [time_s, label],
    )
    return x, top + y


def settle(page: Page) -> None:
    """Waits until the frame of the last change is drawn, and any zoom has ended."""
    page.evaluate(
        """async () => {
            const frame = () => new Promise(requestAnimationFrame);
            await frame();
            while (timeline.glide.target !== session.view) await frame();
            await frame();
        }"""
    )


def view(page: Page) -> list[float]:
    settle(page)
    values: list[float] = page.evaluate("[session.view.startS, session.view.endS]")
    return values


def test_a_click_without_a_video_selects_and_goes_to_the_start(mount: Mount) -> None:
    """A click beside it goes to the time at the pointer and keeps the selection."""
    page = mount()
    page.mouse.click(*at(page, 3.0))
    assert page.evaluate("[session.selected.startS, session.timeS]") == [2.0, 2.0]
    page.mouse.click(*at(page, 12.5, y=60))
    assert page.evaluate("session.timeS") == pytest.approx(12.5, abs=0.02)
    assert page.evaluate("session.selected.startS") == 2.0


def test_a_click_on_a_segment_plays_it_and_stops_at_its_end(mount: Mount, clip: object) -> None:
    """The segment under the pointer, and a true one alike."""
    page = mount(clip)
    page.evaluate("session.setSpeed(8)")
    page.mouse.click(*at(page, 6.0, "jump"))
    until(page, "session.playing && session.playUntilS === 7")
    until(page, "!session.playing && session.timeS === 7")


def test_a_click_while_correcting_only_goes_to_the_start(mount: Mount, clip: object) -> None:
    """The playhead is then a tool; a double click plays."""
    page = mount(clip)
    page.evaluate("session.setCorrecting(true)")
    page.mouse.click(*at(page, 6.0, "jump"))
    assert page.evaluate("[session.selected.startS, session.timeS]") == [5.0, 5.0]
    assert not page.evaluate("session.playing")
    page.mouse.dblclick(*at(page, 6.0, "jump"))
    until(page, "session.playing && session.playUntilS === 7")


def test_dragging_on_ruler_and_lanes_scrubs(mount: Mount) -> None:
    """The playhead follows the pointer, and the view stays."""
    page = mount()
    page.evaluate("session.setView(0, 10)")
    ruler = page.locator(".ruler").bounding_box()
    assert ruler is not None
    x, _ = at(page, 8.0)
    page.mouse.move(at(page, 1.0)[0], ruler["y"] + 5)
    page.mouse.down()
    page.mouse.move(x, ruler["y"] + 5, steps=4)
    assert page.evaluate("session.timeS") == pytest.approx(8.0, abs=0.02)
    page.mouse.move(2000, ruler["y"] + 5)
    assert view(page) == [0, 10]
    page.mouse.up()


def test_the_tip_has_times_and_scores(mount: Mount) -> None:
    """Of the segment under the pointer, and of the curve beside segments."""
    page = mount()
    page.mouse.move(*at(page, 10.0))
    expect(page.locator(".tip")).to_have_text(
        re.compile(r"run · 0\.3000:09\.5 . 00:11\.0 · 1\.5 s")
    )
    page.mouse.move(*at(page, 3.25, y=60))
    expect(page.locator(".tip")).to_contain_text("activation 0.90")
    page.mouse.move(5, 5)
    expect(page.locator(".tip")).to_be_hidden()


def test_wheel_zooms_at_the_pointer_and_pans(mount: Mount) -> None:
    """Ctrl and the wheel keep the time under the pointer; Shift and the wheel move the view."""
    page = mount()
    page.mouse.move(*at(page, 5.0))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    until(page, "session.view.endS - session.view.startS < 15")
    start_s, end_s = view(page)
    assert (5.0 - start_s) / (end_s - start_s) == pytest.approx(0.25, abs=0.01)
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Shift")
    until(page, f"session.view.startS > {start_s + 0.1}")
    moved = view(page)
    assert moved[1] - moved[0] == pytest.approx(end_s - start_s)


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_zoom_keeps_the_playhead_in_place(mount: Mount, way: str) -> None:
    """Closer, farther, and the whole video."""
    page = mount()

    def press(name: str, key: str) -> None:
        if way == "key":
            page.keyboard.press(key)
        else:
            page.get_by_role("button", name=name).click()

    page.evaluate("session.seek(5)")
    press("Closer", "z")
    assert view(page) == pytest.approx([2.5, 12.5])
    press("Closer", "z")
    assert view(page) == pytest.approx([3.75, 8.75])
    press("Farther", "Shift+Z")
    assert view(page) == pytest.approx([2.5, 12.5])
    press("Whole video", "v")
    assert view(page) == [0, 20]


def test_fit_the_segment(mount: Mount) -> None:
    """B shows all of the selected one."""
    page = mount()
    page.evaluate("session.select(session.segments[0].id)")
    page.keyboard.press("b")
    assert view(page) == pytest.approx([1, 5])


def test_keys_of_the_selected_segment(mount: Mount) -> None:
    """To its start and end, to the class above and below, and to none."""
    page = mount()
    page.keyboard.press("n")
    page.keyboard.press("w")
    assert page.evaluate("session.timeS") == 4.0
    page.keyboard.press("q")
    assert page.evaluate("session.timeS") == 2.0
    page.keyboard.press("ArrowUp")
    assert page.evaluate("session.selected.label") == "jump"
    page.keyboard.press("ArrowDown")
    assert page.evaluate("session.selected.label") == "run"
    page.keyboard.press("Escape")
    assert page.evaluate("session.selected") is None


def test_hide_and_show_the_lane(mount: Mount) -> None:
    """H hides the lane of the selected segment; with none selected it shows the last one again."""
    page = mount()
    page.keyboard.press("n")
    page.keyboard.press("h")
    assert page.evaluate("session.lanes") == ["jump"]
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    assert page.evaluate("session.lanes.toSorted()") == ["jump", "run"]


def test_the_view_follows_the_playhead_by_pages(mount: Mount) -> None:
    """While it plays; a view that somebody moved away stays; a seek brings the playhead in view."""
    page = mount()
    page.evaluate("session.setView(0, 5); session.seek(4.9)")
    page.evaluate("session.advance(5.1)")
    assert view(page) == pytest.approx([4.6, 9.6])
    page.evaluate("session.setView(12, 17)")
    page.evaluate("session.advance(5.2)")
    assert view(page) == [12, 17]
    page.evaluate("session.seek(2)")
    assert view(page) == pytest.approx([1.5, 6.5])


@pytest.mark.parametrize(
    ("part", "by_s", "expected"),
    [
        ("Part in view", 4, [9, 14]),
        ("Part in view", 40, [15, 20]),
        ("Start of the view", -3, [2, 10]),
        ("Start of the view", -30, [0, 10]),
        ("End of the view", 5, [5, 15]),
    ],
)
def test_overview_drags(mount: Mount, part: str, by_s: float, expected: list[float]) -> None:
    """Its frame moves the view and keeps its length; its ends move the ends."""
    page = mount()
    page.evaluate("session.setView(5, 10)")
    settle(page)
    box = page.get_by_role("slider", name=part).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by_s * page.evaluate("timeline.width / 20"), y, steps=3)
    page.mouse.up()
    assert view(page) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("part", "key", "expected"),
    [
        ("Part in view", "ArrowRight", [5.5, 10.5]),
        ("Part in view", "PageUp", [10, 15]),
        ("Part in view", "Home", [0, 5]),
        ("Part in view", "End", [15, 20]),
        ("Start of the view", "ArrowLeft", [4.5, 10]),
        ("End of the view", "ArrowRight", [5, 10.5]),
        ("End of the view", "End", [5, 20]),
    ],
)
def test_overview_by_keys(mount: Mount, part: str, key: str, expected: list[float]) -> None:
    """Its frame and ends are sliders that say where they are."""
    page = mount()
    page.evaluate("session.setView(5, 10); session.seek(7)")
    slider = page.get_by_role("slider", name=part)
    slider.focus()
    slider.press(key)
    assert view(page) == pytest.approx(expected)
    assert page.evaluate("session.timeS") == 7
    start, end = (f"{time_s:.1f}" for time_s in expected)
    words = {"Part in view": f"{start} to {end}", "Start of the view": start}.get(part, end)
    expect(slider).to_have_attribute("aria-valuetext", words)


def test_a_press_on_the_overview_moves_the_view_there(mount: Mount) -> None:
    """Outside its frame; the middle of the view is then under the pointer."""
    page = mount()
    page.evaluate("session.setView(0, 4)")
    settle(page)
    box = page.locator(".overview > canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 12)
    assert view(page) == pytest.approx([13, 17], abs=0.02)


def correct_first(page: Page) -> None:
    page.evaluate("session.setCorrecting(true); session.select(session.segments[0].id)")
    settle(page)


def test_a_handle_corrects_an_edge(mount: Mount) -> None:
    """The segment follows the pointer; only the end of the drag is one edit that can be undone."""
    page = mount()
    correct_first(page)
    box = page.get_by_role("slider", name="Start of the segment").bounding_box()
    assert box is not None
    assert box["width"] == 24
    x, y = box["x"] + 12, box["y"] + 10
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(at(page, 1.0)[0], y, steps=3)
    assert page.evaluate("session.selected.startS") == pytest.approx(1.0, abs=0.02)
    assert page.evaluate("session.history.position") == 0
    page.mouse.up()
    start_s = page.evaluate("session.selected.startS")
    assert start_s == round(start_s, 3) == pytest.approx(1.0, abs=0.02)
    assert page.evaluate("[session.history.position, session.selected.state]") == [1, "changed"]
    assert page.evaluate("session.timeS") == start_s
    page.evaluate("session.undo()")
    assert page.evaluate("session.selected.startS") == 2.0


@pytest.mark.parametrize(("step", "expected"), [("frame", "4.040"), ("snippet", "4.500")])
def test_arrow_keys_move_a_handle(mount: Mount, step: str, expected: str) -> None:
    """By a frame or by a snippet; the slider says where the edge is, to the millisecond."""
    page = mount()
    correct_first(page)
    page.evaluate("(kind) => session.setStepKind(kind)", step)
    handle = page.get_by_role("slider", name="End of the segment")
    handle.press("ArrowRight")
    settle(page)
    expect(handle).to_be_focused()
    expect(handle).to_have_attribute("aria-valuetext", expected)
    expect(handle).to_have_attribute("aria-valuenow", expected)


def test_handles_are_there_only_while_somebody_corrects(mount: Mount) -> None:
    """And not on a rejected segment, which has no edges to keep."""
    page = mount()
    page.evaluate("session.select(session.segments[0].id)")
    expect(page.get_by_role("slider", name="Start of the segment")).to_be_hidden()
    correct_first(page)
    expect(page.get_by_role("slider", name="Start of the segment")).to_be_visible()
    page.evaluate(
        """async () => {
            const { reject } = await import("/page/scripts/correct/edits.js");
            session.edit(reject(session.selected));
        }"""
    )
    expect(page.get_by_role("slider", name="Start of the segment")).to_be_hidden()


def test_lanes_are_groups_with_a_button_a_segment(mount: Mount) -> None:
    """All segments in view are one Tab stop; arrow keys go along and across the lanes."""
    page = mount()
    group = page.get_by_role("group", name="run, 2 segments")
    expect(group.get_by_role("button")).to_have_count(2)
    expect(page.locator(".lane-segment[tabindex='0']")).to_have_count(1)
    first = group.get_by_role("button", name="run, 2.0 to 4.0, score 0.90", exact=True)
    first.focus()
    first.press("ArrowRight")
    second = group.get_by_role("button", name="run, 9.5 to 11.0, score 0.30", exact=True)
    expect(second).to_be_focused()
    second.press("ArrowUp")
    expect(page.get_by_role("button", name="jump, 14.0 to 19.0, score 1.20")).to_be_focused()
    assert page.evaluate("[session.selected.label, session.timeS]") == ["jump", 14.0]


def test_a_lane_button_says_what_somebody_decided(mount: Mount) -> None:
    """The state of a correction is part of its name."""
    page = mount()
    page.evaluate(
        """async () => {
            const { accept } = await import("/page/scripts/correct/edits.js");
            session.edit(accept(session.segments[0]));
        }"""
    )
    expect(
        page.get_by_role("button", name="run, 2.0 to 4.0, score 0.90, accepted")
    ).to_be_attached()


def test_arrow_keys_reach_segments_out_of_view(mount: Mount) -> None:
    """The view turns to the page of the next segment, which then has the focus."""
    page = mount()
    page.evaluate("session.setView(0, 6)")
    button = page.get_by_role("button", name="run, 2.0 to 4.0")
    button.focus()
    button.press("ArrowRight")
    expect(page.get_by_role("button", name="run, 9.5 to 11.0")).to_be_focused()
    assert view(page)[0] > 6


def test_enter_on_a_lane_button_plays_the_segment(mount: Mount, clip: object) -> None:
    """As Enter does everywhere."""
    page = mount(clip)
    page.get_by_role("button", name="jump, 5.0 to 7.0").press("Enter")
    until(page, "session.playing && session.playUntilS === 7")


def test_lanes_menu_finds_pins_and_hides(mount: Mount) -> None:
    """By keyboard alone; Esc closes it and gives the focus back."""
    page = mount(labels=["jump", "run", *(f"class {number}" for number in range(200))])
    expect(page.locator(".timeline-count")).to_have_text("12 of 202 classes")
    lanes = page.get_by_role("button", name="Lanes")
    lanes.press("Enter")
    page.get_by_role("searchbox", name="Find a class").fill("class 150")
    page.get_by_role("button", name="Pin class 150").press("Enter")
    assert page.evaluate("session.lanes[0]") == "class 150"
    page.get_by_role("checkbox", name="class 150").uncheck()
    assert not page.evaluate("session.lanes.includes('class 150')")
    page.get_by_role("searchbox", name="Find a class").fill("<b>")
    expect(page.get_by_role("dialog", name="Lanes")).to_contain_text(
        "No class has “<b>” in its name."
    )
    page.keyboard.press("Escape")
    expect(lanes).to_be_focused()


def test_more_than_six_lanes_are_low_and_scroll(mount: Mount) -> None:
    """The wheel scrolls them under overview and ruler."""
    page = mount(labels=["jump", "run", *(f"class {number}" for number in range(20))])
    until(page, "timeline.model.layout.height === 44")
    page.mouse.move(*at(page, 5.0, "jump"))
    page.mouse.wheel(0, 200)
    until(page, "timeline.nodes.scroller.scrollTop > 50")


def test_the_bar_makes_room_for_correcting(mount: Mount) -> None:
    """The tool bar takes the place of what is there to look; hints follow the mode."""
    page = mount()
    expect(page.locator(".timeline-hints")).to_contain_text("play segment")
    page.evaluate("session.setCorrecting(true)")
    expect(page.get_by_role("button", name="Whole video")).to_be_hidden()
    assert page.evaluate("timeline.toolbar.hidden") is False
    expect(page.locator(".timeline-hints")).to_contain_text("Drag a handle, or use the keys")


def test_ten_hours_keep_the_page_small(mount: Mount) -> None:
    """5,000 segments of 20 classes: drawn, and with a bounded number of elements."""
    segments = [
        (f"class {number % 20}", number * 7.2, number * 7.2 + 5, 0.2 + 0.7 * (number % 10) / 10)
        for number in range(5000)
    ]
    labels = [f"class {number}" for number in range(20)]
    page = mount(segments=segments, labels=labels, durationS=36_000, snippets=20_000)
    until(page, "document.querySelectorAll('.lane-segment').length > 100")
    assert page.evaluate("document.querySelectorAll('*').length") < 1500
    page.evaluate("session.setView(18_000, 18_600)")
    settle(page)
    assert colors(page) > 50


def colors(page: Page) -> int:
    """Returns the number of different colours on the canvas of the lanes."""
    number: int = page.evaluate(
        """() => {
            const { canvas, context } = timeline.lanes;
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
    )
    return number


def test_drawing_follows_the_theme(mount: Mount) -> None:
    """Segments are painted again when it changes."""
    page = mount()
    color = """() => {
        const { context } = timeline.lanes;
        const ratio = devicePixelRatio;
        const x = timeline.scale.x(3) * ratio;
        const y = (timeline.model.lane('run').top + 30.5) * ratio;
        return [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
    }"""
    settle(page)
    assert page.evaluate(color) == [0xCC, 0x5D, 0x02]
    page.evaluate("import('/page/scripts/parts/theme.js').then(({ toggleTheme }) => toggleTheme())")
    settle(page)
    assert page.evaluate(color) == [0xFF, 0xBF, 0x9E]


def test_truth_and_a_second_result_have_their_own_bands(mount: Mount) -> None:
    """Truth that a result misses says so; the legend names what is drawn."""
    page = mount()
    page.evaluate(
        """() => {
            session.compareWith({ name: "moves", version: 2 },
                { segments: [{ label: "run", start_s: 2.5, end_s: 4, score: 0.5 }] });
            session.setTruth({ name: "truth.json", segments: [
                { label: "run", startS: 2, endS: 4 }, { label: "run", startS: 9.5, endS: 11 }] });
        }"""
    )
    settle(page)
    assert page.evaluate("timeline.model.layout.height") == 102
    assert page.evaluate("[...timeline.model.missed.values()]") == ["", "missed by B"]
    legend = page.locator(".timeline-legend")
    expect(legend).to_have_text("A moves v1B moves v2Ground truth")
    x, y = at(page, 3.0, y=35)
    page.mouse.move(x, y)
    expect(page.locator(".tip")).to_contain_text("B · run · 0.50")


def test_fingers_pan_and_nothing_is_wider_than_a_phone(open_page: OpenPage, server: Target) -> None:
    """Names are above the lanes; a finger moves the view, a tap selects."""
    page = mount_on(open_page(server.url, viewport={"width": 390, "height": 844}, has_touch=True))
    page.evaluate("session.setView(0, 10)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("timeline.model.layout.height") == 50
    x, y = at(page, 3.0, y=30)
    page.touchscreen.tap(x, y)
    assert page.evaluate("session.selected.startS") == 2.0
    page.evaluate(
        """([x, y]) => {
            const send = (type, left) => timeline.nodes.lanes.dispatchEvent(new PointerEvent(type,
                { pointerId: 7, pointerType: "touch", clientX: left, clientY: y, bubbles: true }));
            timeline.nodes.lanes.setPointerCapture = () => {};
            send("pointerdown", x);
            send("pointermove", x - 73);
            send("pointerup", x - 73);
        }""",
        [x, y],
    )
    assert view(page) == pytest.approx([2, 12], abs=0.1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_time_line_is_accessible(
    open_page: OpenPage, server: Target, scheme: str, assert_accessible: Callable[[Page], None]
) -> None:
    """By axe-core, in both themes."""
    page = mount_on(open_page(server.url, color_scheme=scheme))
    until(page, "document.querySelectorAll('.lane-segment').length > 2")
    assert_accessible(page)

"""The player: controls by mouse and by key, stops, loops, sound, what takes its place."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from reliability.server import Target
from tests.page.conftest import OpenPage, submit, write_clip
from tests.page.look.conftest import Mount, mount_on, until


def time_s(page: Page) -> float:
    value: float = page.evaluate("session.timeS")
    return value


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_play_and_pause(mount: Mount, clip: Path, way: str) -> None:
    """The time moves while it plays, and rests when it is paused."""
    page = mount(clip)
    press = page.keyboard.press if way == "key" else lambda _: page.locator(".play").click()
    press("Space")
    until(page, "session.playing && session.timeS > 0.2")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    press("Space")
    until(page, "!session.playing && player.picture.video.paused")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


@pytest.mark.parametrize("way", ["mouse", "key"])
def test_next_and_previous_segment(mount: Mount, clip: Path, way: str) -> None:
    """Each selects a segment in order of time and shows its start to the millisecond."""
    page = mount(clip)

    def press(name: str, key: str) -> None:
        if way == "key":
            page.keyboard.press(key)
        else:
            page.get_by_role("button", name=name).click()

    starts_s = []
    for _ in range(3):
        press("Next segment", "n")
        starts_s.append(time_s(page))
    assert starts_s == [2.0, 5.0, 9.52]
    press("Previous segment", "p")
    assert time_s(page) == 5.0
    until(page, "Math.abs(player.picture.video.currentTime - 5) < 0.0005")


def test_enter_plays_a_segment_and_stops_at_its_end(mount: Mount, clip: Path) -> None:
    """The end is exact, also at many times the speed."""
    page = mount(clip)
    page.evaluate("session.setSpeed(4); session.select(session.segments[2].id)")
    page.keyboard.press("Enter")
    expect(page.locator(".note")).to_have_text("Stops at the end of the segment, 00:11.0")
    until(page, "!session.playing && session.timeS > 9.6")
    assert time_s(page) == 11.0
    until(page, "player.picture.video.paused && !player.picture.video.seeking")
    assert page.evaluate("player.picture.video.currentTime") == pytest.approx(11.0, abs=1e-3)


def test_loop_begins_the_segment_again(mount: Mount, clip: Path) -> None:
    """R while a segment is selected; the button shows that it is on."""
    page = mount(clip)
    page.evaluate("""() => {
        session.setSpeed(8);
        session.select(session.segments[0].id);
        window.starts = 0;
        session.addEventListener("time", ({ detail }) => {
            starts += detail.seek && session.timeS === 2;
        });
    }""")
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Loop this segment")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("Enter")
    until(page, "starts >= 3 && session.playing")
    page.get_by_role("button", name="Loop this segment").click()
    until(page, "!session.playing")
    assert time_s(page) == 4.0


def test_speed_by_list_and_by_keys(mount: Mount, clip: Path) -> None:
    """From 0.1 to 16; 0 is the normal speed."""
    page = mount(clip)
    page.get_by_role("combobox", name="Speed").select_option("16")
    page.locator("h2").first.evaluate("document.activeElement.blur()")
    assert page.evaluate("[session.speed, player.picture.video.playbackRate]") == [16, 16]
    page.keyboard.press("-")
    assert page.evaluate("player.picture.video.playbackRate") == 8
    page.keyboard.press("0")
    page.keyboard.press("=")
    expect(page.get_by_role("combobox", name="Speed")).to_have_value("1.5")
    page.evaluate("session.setSpeed(0.01)")
    assert page.evaluate("player.picture.video.playbackRate") == 0.1


@pytest.mark.parametrize(
    ("key", "expected_s"),
    [
        ("ArrowRight", 11.0),
        ("ArrowLeft", 9.0),
        ("Shift+ArrowRight", 20.0),
        ("Shift+ArrowLeft", 0.0),
        ("Home", 0.0),
        ("End", 20.0),
    ],
)
def test_keys_move_through_the_video(mount: Mount, key: str, expected_s: float) -> None:
    """Also where there is no video to show."""
    page = mount()
    page.evaluate("session.seek(10)")
    page.keyboard.press(key)
    assert time_s(page) == expected_s


def test_go_to_a_time(mount: Mount) -> None:
    """A time is typed; a wrong one gets a sentence."""
    page = mount()
    page.keyboard.press("g")
    field = page.get_by_role("textbox", name="Time")
    field.fill("1:00")
    field.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Type a time up to 00:20.0")
    field.fill("0:12.345")
    field.press("Enter")
    assert time_s(page) == 12.345


def test_frame_steps_by_mouse(mount: Mount, clip: Path) -> None:
    """One frame of 40 ms, back and on."""
    page = mount(clip)
    page.evaluate("session.seek(3)")
    page.get_by_role("button", name="One frame on").click()
    until(page, "session.timeS > 3 && !player.picture.clock.isStepping")
    assert time_s(page) == pytest.approx(3.04, abs=1e-4)
    page.get_by_role("button", name="One frame back").click()
    until(page, "session.timeS < 3.04 && !player.picture.clock.isStepping")
    assert time_s(page) == pytest.approx(3.0, abs=1e-4)


def test_a_seek_keeps_milliseconds(mount: Mount, clip: Path) -> None:
    """The session keeps the time that was asked for, not that of the frame on screen."""
    page = mount(clip)
    page.evaluate("session.setCorrecting(true); session.seek(9.537)")
    until(page, "!player.picture.video.seeking && player.picture.clock.frameS > 9")
    assert time_s(page) == 9.537
    assert page.evaluate("player.picture.clock.frameS") == pytest.approx(9.52, abs=1e-4)
    expect(page.locator(".controls .time")).to_have_text("00:09.537")


def test_label_over_the_picture_is_that_of_the_running_segment(mount: Mount, clip: Path) -> None:
    """With its score, which may exceed 1; none between segments; none for a rejected one."""
    page = mount(clip)
    page.evaluate("session.seek(15)")
    expect(page.locator(".caption")).to_have_text("jump1.20")
    page.evaluate("session.seek(12)")
    expect(page.locator(".caption")).to_be_hidden()


def test_a_silent_video_says_so(mount: Mount, clip: Path) -> None:
    """The button for sound is disabled, and its title says why."""
    page = mount(clip)
    sound = page.get_by_role("button", name="Sound")
    expect(sound).to_be_disabled()
    expect(sound).to_have_attribute("title", "This video has no sound")


def test_sound_by_mouse_and_by_key(mount: Mount, loud_clip: Path) -> None:
    """On at first; Shift+M turns it off and on."""
    page = mount(loud_clip, durationS=2, segments=[])
    page.keyboard.press("Space")
    sound = page.get_by_role("button", name="Sound")
    expect(sound).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Shift+M")
    assert page.evaluate("player.picture.video.muted")
    sound.click()
    assert not page.evaluate("player.picture.video.muted")


def test_full_screen(mount: Mount, clip: Path) -> None:
    """F shows the player alone, and leaves it again."""
    page = mount(clip)
    page.keyboard.press("f")
    until(page, "document.fullscreenElement === player.root")
    page.get_by_role("button", name="Full screen").click()
    until(page, "document.fullscreenElement === null")


def test_a_click_on_the_picture_plays(mount: Mount, clip: Path) -> None:
    """A second one pauses."""
    page = mount(clip)
    page.locator("video").click()
    until(page, "session.playing")
    page.locator("video").click()
    until(page, "!session.playing")


def test_playing_ends_at_the_end_of_the_video(mount: Mount, loud_clip: Path) -> None:
    """Play begins at the start again after that."""
    page = mount(loud_clip, durationS=2, segments=[])
    page.evaluate("session.setSpeed(4); session.seek(1.5); session.play()")
    until(page, "!session.playing")
    assert time_s(page) == 2.0
    page.evaluate("session.play()")
    until(page, "session.timeS < 1.5")


def test_features_without_a_video_ask_for_it(mount: Mount) -> None:
    """Play is disabled and its title says why; the time line works."""
    page = mount()
    expect(page.get_by_text("There is no video to show. Choose the video")).to_be_visible()
    expect(page.locator(".play")).to_be_disabled()
    page.keyboard.press("n")
    assert time_s(page) == 2.0


def test_a_file_that_does_not_play_gets_a_sentence(mount: Mount, unplayable: Path) -> None:
    """A file of one's own that the browser cannot read."""
    page = mount()
    page.locator("input[type=file]").set_input_files(unplayable)
    expect(page.get_by_text("This browser cannot play that file.")).to_be_visible()
    expect(page.get_by_role("button", name="Choose the video")).to_be_visible()


def test_an_unplayable_video_shows_stills(mount: Mount) -> None:
    """Of the server, the nearest to the playhead large; steps go from still to still."""
    job = {"id": "a job", "video": {"codec": "hevc"}}
    page = mount(job=job, videoUrl="/page/icon.svg", canPlay=True)
    expect(
        page.get_by_text("This browser cannot play HEVC video, so you see stills")
    ).to_be_visible()
    expect(page.get_by_role("link", name="Download the video")).to_be_visible()
    expect(page.get_by_role("img", name="Still at 00:00.0")).to_be_visible()
    expect(page.locator(".play")).to_be_disabled()
    page.get_by_role("button", name="One still on").click()
    page.keyboard.press(".")
    assert time_s(page) == 1.0
    expect(page.get_by_role("img", name="Still at 00:01.0")).to_be_visible()
    page.get_by_role("combobox", name="A still every").select_option("5")
    page.evaluate("session.seek(14)")
    expect(page.get_by_role("img", name="Still at 00:15.0")).to_be_visible()
    page.get_by_role("button", name="Go to 00:05.0").click()
    assert time_s(page) == 5.0


def test_stills_that_do_not_come_are_hatched(mount: Mount) -> None:
    """The strip and the large one alike."""
    page = mount(job={"id": "a job"}, videoUrl="/page/icon.svg", canPlay=False)
    expect(page.get_by_text("This browser cannot play this video")).to_be_visible()
    page.evaluate("session.seek(19.5)")
    expect(page.locator(".stills.hatched")).to_be_visible()
    expect(page.locator(".tile[aria-current] > .hatched")).to_be_visible()


def test_player_is_accessible(
    mount: Mount, clip: Path, assert_accessible: Callable[[Page], None]
) -> None:
    """By axe-core, with a video and without."""
    page = mount()
    assert_accessible(page)
    page.locator("input[type=file]").set_input_files(clip)
    until(page, "player.picture?.video.readyState >= 2")
    page.evaluate("session.setCorrecting(true); session.nextSegment()")
    until(page, "document.querySelector('.handle.at-start').hidden === false")
    assert_accessible(page)


def test_player_fits_a_phone(open_page: OpenPage, server: Target) -> None:
    """Nothing is wider than the screen; buttons have 44 px."""
    page = mount_on(open_page(server.url, viewport={"width": 390, "height": 844}))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate(
        """[...document.querySelectorAll(".controls button, .controls select")]
            .filter((one) => one.offsetWidth)
            .filter((one) => one.offsetWidth < 44 || one.offsetHeight < 44)
            .map((one) => one.getAttribute("aria-label"))"""
    )
    assert small == []


def test_a_job_on_an_old_video_shows_its_stills(page: Page, server: Target, tmp_path: Path) -> None:
    """The whole way: upload, result, the service's stills in place of the player."""
    old = tmp_path / "old camera.avi"
    write_clip(old, 6, codec="mpeg4")
    job = submit(server, old)
    page.goto(f"/#/job/{job}")
    expect(page.get_by_text("cannot play MPEG-4 part 2 video, so you see stills")).to_be_visible()
    expect(page.get_by_role("img", name="Still at 00:00.0")).to_be_visible()
    page.get_by_role("button", name="One still on").click()
    still = page.get_by_role("img", name="Still at 00:00.5")
    expect(still).to_be_visible()
    assert still.evaluate("(image) => image.naturalWidth") > 0

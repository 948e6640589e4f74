"""Frames by their presentation time."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.page.look.conftest import Mount, until


def shown_s(page: Page) -> float:
    """Returns the time of the frame on screen after a step."""
    until(page, "!player.picture.clock.isStepping && !player.picture.video.seeking")
    time_s: float = page.evaluate("session.timeS")
    return round(time_s, 6)


def test_steps_go_through_every_frame_of_a_variable_rate(
    mount: Mount, variable_clip: tuple[Path, list[float]]
) -> None:
    """Forward by `.` and back by `,`, each frame once, whatever its length."""
    path, times_s = variable_clip
    page = mount(path)
    forward = []
    for _ in range(12):
        page.keyboard.press(".")
        forward.append(shown_s(page))
    back = []
    for _ in range(12):
        page.keyboard.press(",")
        back.append(shown_s(page))
    assert times_s[1:13] == pytest.approx(forward, abs=1e-3)
    assert times_s[11::-1] == pytest.approx(back, abs=1e-3)


@pytest.mark.parametrize(("by", "expected_s"), [(1, 3.04), (-1, 2.96)])
def test_step_waits_for_the_seek_before_it(
    mount: Mount, clip: Path, by: int, expected_s: float
) -> None:
    """A step goes from the frame of the newest seek, although older frames are still reported."""
    page = mount(clip)
    page.evaluate("session.seek(9); session.seek(3)")
    page.evaluate("(by) => player.step(by)", by)
    assert shown_s(page) == pytest.approx(expected_s, abs=1e-4)

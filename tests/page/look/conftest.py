"""Player and time line without the rest of the result view, on a session that a test makes."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from reliability.server import Target
from tests.page.conftest import CLEAR, Watch, loaded, unfaulted

MOUNT = (Path(__file__).parent / "mount.js").read_text()
VARIABLE_STEPS_MS = (40, 20, 100, 33, 500, 17, 40)
"""Lengths of the frames of `variable_clip`, over and over."""

Segment: TypeAlias = tuple[str, float, float, float]
"""Label, start and end in seconds, score."""

SEGMENTS: list[Segment] = [
    ("run", 2.0, 4.0, 0.9),
    ("jump", 5.0, 7.0, 0.6),
    ("run", 9.52, 11.0, 0.3),
    ("jump", 14.0, 19.0, 1.2),
]
"""The segments of a session of 20 s, if a test makes no others."""

Mount: TypeAlias = Callable[..., Page]


@pytest.fixture(scope="package")
def desk(browser: Browser, server: Target) -> Iterator[tuple[Page, Watch]]:
    """A page on which one session after the other is mounted."""
    with loaded(browser, server.url) as shared:
        yield shared


@pytest.fixture
def mount(desk: tuple[Page, Watch]) -> Iterator[Mount]:
    """Shows player and time line of a session: `mount(segments=[...], video=clip)`.

    In the page, `session`, `player` and `timeline` are global.
    """
    with unfaulted(*desk) as page:
        page.mouse.move(0, 0)
        page.evaluate(CLEAR, None)
        yield lambda video=None, **facts: show(page, video, **facts)


def mount_on(page: Page) -> Page:
    """Shows player and time line on a page of one's own."""
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()  # the start view has come
    return show(page)


def show(page: Page, video: Path | None = None, **facts: Any) -> Page:
    """Shows player and time line in place of the start view."""
    page.evaluate(MOUNT, {"segments": SEGMENTS} | facts)
    if video is not None:
        page.locator("input[type=file]").set_input_files(video)
        until(page, "player.picture?.video.readyState >= 2")
    until(page, "timeline.model !== undefined")
    return page


def until(page: Page, expression: str) -> None:
    """Waits until a JavaScript expression is true.

    Playwright's own `wait_for_function` evaluates a string, which the page's policy forbids.
    """
    page.evaluate(
        """async () => {
            const endMs = performance.now() + 60_000;
            while (!(EXPRESSION)) {
                if (performance.now() > endMs) throw new Error("still false: EXPRESSION");
                await new Promise(requestAnimationFrame);
            }
        }""".replace("EXPRESSION", expression.replace('"', "'"))
    )


@pytest.fixture(scope="package")
def variable_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """An MP4 whose frames last 17 to 500 ms, and the time of each frame in seconds."""
    path = tmp_path_factory.mktemp("variable") / "variable.mp4"
    times_ms = [0]
    while times_ms[-1] < 6000:
        times_ms.append(times_ms[-1] + VARIABLE_STEPS_MS[len(times_ms) % len(VARIABLE_STEPS_MS)])
    _write(path, "libx264", times_ms)
    return path, [ms / 1000 for ms in times_ms]


@pytest.fixture(scope="package")
def unplayable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AVI in MPEG-4 part 2, which Chromium does not play."""
    path = tmp_path_factory.mktemp("unplayable") / "old camera.avi"
    _write(path, "mpeg4", list(range(0, 2000, 40)), time_base=Fraction(1, 25))
    return path


@pytest.fixture(scope="package")
def loud_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 of 2 s with a tone."""
    path = tmp_path_factory.mktemp("loud") / "loud.mp4"
    _write(path, "libx264", list(range(0, 2000, 40)), tone=True)
    return path


def _write(
    path: Path,
    codec: str,
    times_ms: list[int],
    *,
    time_base: Fraction = Fraction(1, 1000),
    tone: bool = False,
) -> None:
    """Writes a clip of 64 x 36 whose frames get lighter; frame i begins at `times_ms[i]`."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 36, "yuv420p"
        video.codec_context.time_base = time_base
        audio = container.add_stream("aac", rate=48_000, layout="mono") if tone else None
        for number, time_ms in enumerate(times_ms):
            image_HWC = np.full((36, 64, 3), 255 * number // len(times_ms), np.uint8)
            frame = av.VideoFrame.from_ndarray(image_HWC, format="rgb24")
            frame.pts = round(Fraction(time_ms, 1000) / time_base)
            frame.time_base = time_base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            _write_tone(container, audio, times_ms[-1] / 1000)


def _write_tone(container: Any, audio: Any, length_s: float) -> None:
    wave_S = 0.2 * np.sin(np.arange(round(48_000 * length_s)) * 2 * np.pi * 440 / 48_000)
    for first in range(0, len(wave_S), 1024):
        part = wave_S[None, first : first + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, first, Fraction(1, 48_000)
        container.mux(audio.encode(frame))
    container.mux(audio.encode())

"""The frames of each snippet."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.video.windows import Windows

IMAGES = [np.full((1, 1, 3), n, np.uint8) for n in range(12)]


def cut(windows: Windows, count: int, snippet: int = 0) -> list[list[int]]:
    """Returns the numbers of the images in each window of a video of `count` images."""
    images = IMAGES[windows.first_image(snippet) : count]
    return [window[:, 0, 0, 0].tolist() for window in windows.cut(images, snippet=snippet)]


def test_windows_of_snippets_alone_share_one_frame() -> None:
    """The last frame is the first one of the next window, or is repeated."""
    assert cut(Windows(2, 2), 5) == [[0, 1, 2], [2, 3, 4], [4, 4, 4]]


def test_longer_windows_are_centred_and_repeat_the_frames_at_the_edges() -> None:
    """A window of 8 frames around a snippet of 4 starts 2 frames before it."""
    assert cut(Windows(4, 8), 10) == [
        [0, 0, 0, 1, 2, 3, 4, 5, 6],
        [2, 3, 4, 5, 6, 7, 8, 9, 9],
        [6, 7, 8, 9, 9, 9, 9, 9, 9],
    ]


@pytest.mark.parametrize("length", [4, 5, 8, 21])
@pytest.mark.parametrize("count", range(1, 13))
def test_the_number_of_windows_does_not_depend_on_their_length(length: int, count: int) -> None:
    """A clip may be longer than the video; the clock stays."""
    windows = cut(Windows(4, length), count)
    assert max(1, int(count / 4 + 0.5)) == len(windows)
    assert {length + 1} == {len(window) for window in windows}


@pytest.mark.parametrize("length", [4, 7, 10])
@pytest.mark.parametrize("snippet", [1, 2, 3, 4])
def test_windows_from_the_middle_are_those_from_the_start(length: int, snippet: int) -> None:
    """Extraction can continue anywhere."""
    windows = Windows(3, length)
    assert cut(windows, 12)[snippet:] == cut(windows, 12, snippet)


def test_each_window_is_noted_at_its_first_frame() -> None:
    """Windows that start before the video are read from its start, and need no note."""

    class Image:
        def __init__(self, number: int) -> None:
            self.number = number

        def digest(self) -> str:
            return str(self.number)

    notes: dict[int, str] = {}
    windows = Windows(4, 10)
    images = [Image(number) for number in range(12)]
    assert images == list(windows.noted(images, 0, notes.__setitem__))
    assert notes == {1: "1", 2: "5", 3: "9"}
    assert all(str(windows.first_image(snippet)) == note for snippet, note in notes.items())


def test_a_still_image_gives_one_and_the_same_array() -> None:
    """Its features are then computed once."""
    windows = list(Windows(2, 4).cut([IMAGES[0]] * 9, snippet=0))
    assert all(window is windows[0] for window in windows)


def test_chunks_of_a_video_with_long_clips_equal_the_whole(film: Any, tmp_path: Path) -> None:
    """A reader that starts in the middle sees the frames before its first snippet."""
    from features.video.reading import read_snippets

    path = film(tmp_path / "video.mp4", [n / 25 for n in range(60)], size=(64, 48))
    options: dict[str, Any] = {
        "rate_fps": 25, "snippet_frames": 4, "clip_frames": 11, "short_side": 48,
    }  # fmt: skip
    borders: dict[int, str] = {}
    whole = list(read_snippets(path, **options, on_border=borders.__setitem__))
    assert len(whole) == 15
    for first in (1, 5, 14):
        rest = read_snippets(path, **options, first_snippet=first, border=borders.get(first))
        np.testing.assert_array_equal(whole[first:], list(rest))

"""Chunks of features equal those of one pass, whatever their size and order."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.extractors import MOTION, open_extractor, video_rows
from features.motion import MotionExtractor
from features.video.limits import VideoLimits
from model.errors import ModelError, OptionError, VideoError
from service.videos import chunks
from service.videos.chunks import ChunkReader, ChunkTask

EXTRACTOR = open_extractor(MOTION)
SNIPPET = round(25 * EXTRACTOR.snippet_frames / EXTRACTOR.rate_fps)
"""Times of frames at 25 fps."""


def one_pass(video: Path) -> np.ndarray:
    return np.stack(list(video_rows(EXTRACTOR, video)))


def reader(max_snippets: int = 20_000) -> ChunkReader:
    return ChunkReader(VideoLimits(), 1, max_snippets)


def task(
    video: Path,
    first: int,
    size: int,
    extractor_id: str = EXTRACTOR.id,
    border: str | None = None,
) -> ChunkTask:
    return ChunkTask(video, MOTION, extractor_id, first, size, border)


def moving(film, path: Path, snippets: float) -> Path:
    frames = np.arange(round(snippets * SNIPPET))
    made: Path = film(path, frames / 25, options={"g": "12"})
    return made


@pytest.fixture(scope="module")
def video(film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of twelve snippets."""
    return moving(film, tmp_path_factory.mktemp("film") / "film.mp4", 12)


@pytest.fixture(scope="module")
def other(film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of five snippets and a half."""
    return moving(film, tmp_path_factory.mktemp("film") / "other.mkv", 5.5)


@pytest.fixture(scope="module")
def whole(video: Path) -> np.ndarray:
    """Features of the video from one pass."""
    return one_pass(video)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 14), min_size=1, max_size=6))
def test_chunks_of_any_size_make_up_one_pass(
    video: Path, whole: np.ndarray, sizes: list[int]
) -> None:
    """Also if the size changes midway, because a restart may change the setting."""
    read, first, parts, border = reader(), 0, [], None
    for number in count():
        size = sizes[min(number, len(sizes) - 1)]
        chunk = read(task(video, first, size, border=border))
        border = chunk.border
        assert chunk.claimed_snippets == len(whole)
        parts.append(chunk.features_TD)
        first += size
        if len(chunk.features_TD) < size:
            break
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_last_chunk_that_is_full_is_followed_by_an_empty_one(
    video: Path, whole: np.ndarray
) -> None:
    """It keeps the extractor's channels; also in a process that starts there."""
    read = reader()
    rows = [len(read(task(video, first, 4)).features_TD) for first in (0, 4, 8, 12)]
    assert rows == [4, 4, 4, 0]
    for first in (12, 99):
        assert reader()(task(video, first, 4)).features_TD.shape == (0, whole.shape[1])


@pytest.mark.parametrize("first", [1, 4, 5, 11])
def test_a_process_that_begins_later_gives_the_same(
    video: Path, whole: np.ndarray, first: int
) -> None:
    """As after a crash, with and without the border that was stored before it."""
    border = reader()(task(video, 0, first)).border
    assert border
    for known in (border, None, "another"):
        got_TD = reader()(task(video, first, 4, border=known)).features_TD
        np.testing.assert_array_equal(got_TD, whole[first : first + 4])


def test_a_chunk_at_the_end_of_the_video_has_no_border(video: Path) -> None:
    """No frame starts a next chunk."""
    assert reader()(task(video, 8, 4)).border is None
    assert reader()(task(video, 8, 99)).border is None


def test_consecutive_chunks_are_decoded_once(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder stays open if the task continues from the last border."""
    opened = []
    rows = chunks.video_rows
    monkeypatch.setattr(chunks, "video_rows", lambda *a, **k: opened.append(1) or rows(*a, **k))
    read, border = reader(), None
    for first in (0, 4, 8):
        border = read(task(video, first, 4, border=border)).border
    assert opened == [1]


def test_a_repeated_chunk_is_the_same(video: Path, whole: np.ndarray) -> None:
    """As after a lost answer."""
    read = reader()
    for first in (4, 4, 0, 4):
        got_TD = read(task(video, first, 4)).features_TD
        np.testing.assert_array_equal(got_TD, whole[first : first + 4])


def test_another_video_in_between_changes_nothing(
    video: Path, other: Path, whole: np.ndarray
) -> None:
    """Two jobs may alternate in one process."""
    read, parts, others = reader(), [], []
    for first in (0, 4, 8):
        parts.append(read(task(video, first, 4)).features_TD)
        others.append(read(task(other, first // 2, 2)).features_TD)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(np.concatenate(others), one_pass(other))


def test_errors_leave_the_reader_able_to_go_on(
    video: Path, whole: np.ndarray, tmp_path: Path
) -> None:
    """Another extractor than the model's, an absent one, and a bad video."""
    read, bad = reader(), tmp_path / "bad.mp4"
    bad.write_text("text")
    with pytest.raises(ModelError, match=f"another-1.*{EXTRACTOR.id}"):
        read(task(video, 0, 4, "another-1"))
    with pytest.raises(OptionError, match="none"):
        read(ChunkTask(video, "none", "none", 0, 4))
    with pytest.raises(VideoError, match="not a video"):
        read(task(bad, 0, 4))
    with pytest.raises(VideoError, match="no video file"):
        read(task(tmp_path / "absent.mp4", 0, 4))
    np.testing.assert_array_equal(read(task(video, 0, 99)).features_TD, whole)


def test_the_length_in_the_header_is_converted_to_snippets(film, tmp_path: Path) -> None:
    """At least one; None if the header has no length."""
    short = film(tmp_path / "short.mp4", [0.0, 0.04])
    assert reader()(task(short, 0, 4)).claimed_snippets == 1
    silent = film(tmp_path / "silent.h264", np.arange(3 * SNIPPET) / 25)
    chunk = reader()(task(silent, 0, 4))
    assert (chunk.claimed_snippets, len(chunk.features_TD)) == (None, 3)


def test_a_table_with_too_many_snippets_is_refused_at_once(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row is computed for an MP4 file that is too long."""
    assert len(reader(12)(task(video, 0, 99)).features_TD) == 12
    monkeypatch.setattr(MotionExtractor, "_row", None)
    with pytest.raises(VideoError, match=r"lasts longer than 6\.6 s; split it"):
        reader(10)(task(video, 0, 1))


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_an_image_shown_for_hours_is_refused_by_the_next_stamp(
    film, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repetition is computed before."""
    monkeypatch.setattr(MotionExtractor, "_row", None)
    stamps_s = [0, 36_000, *(36_000 + number / 25 for number in range(1, 9))]
    path = film(tmp_path / f"still.{suffix}", stamps_s)
    with pytest.raises(VideoError, match=r"lasts longer than 60\.6 s"):
        reader(100)(task(path, 0, 1))

"""Clips of segments: where they start, what they show, and that nothing is written by halves."""

import csv
import io
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ecm_client.segments import Segment
from features.video.clips import cut_clips, zip_of_clips
from features.video.reading import probe
from model.errors import OptionError, VideoError

Film = Callable[..., Path]
FPS = 25
SEGMENTS = [Segment(1.5, 3.0, 'th<r>ow "a", 😀/..', 0.9), Segment(0.0, 0.5, "first", 1.0)]
KEYED = {"g": "20", "bf": "2"}


def shown(path: Path) -> list[tuple[float, int]]:
    """Time and number of each frame of a clip."""
    with av.open(str(path)) as clip:
        return [
            (round(float(frame.pts * frame.time_base), 3), number_of(frame))
            for frame in clip.decode(clip.streams.video[0])
            if frame.pts is not None and frame.time_base is not None
        ]


def number_of(frame: av.VideoFrame) -> int:
    """The number that a frame of a `film` shows."""
    bars = np.array_split(frame.to_ndarray(format="rgb24").mean(axis=(0, 2)), 8)
    return sum(int(bar.mean() > 128) << bit for bit, bar in enumerate(bars))


def sound_end_s(path: Path) -> float:
    """End of the sound of a clip."""
    with av.open(str(path)) as clip:
        (*_, last) = clip.decode(clip.streams.audio[0])
        assert last.pts is not None
        return float(last.pts * last.time_base) + last.samples / last.sample_rate


def times(frames: int) -> list[float]:
    return [number / FPS for number in range(frames)]


@pytest.fixture(scope="module")
def video(film: Film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds with sound, B-frames, and a key frame every 0.8 s."""
    path = tmp_path_factory.mktemp("film") / "match 1.mp4"
    return film(path, times(150), options=KEYED, sound_s=6.0)


@pytest.mark.parametrize(
    ("suffix", "codec", "out"),
    [
        ("mp4", "libx264", "mp4"),
        ("mov", "libx264", "mp4"),
        ("mkv", "libx264", "mkv"),
        ("ts", "libx264", "mkv"),
        ("avi", "mpeg4", "mkv"),
        ("webm", "libvpx-vp9", "mkv"),
    ],
)
def test_clips_at_key_frames_say_where_they_start(
    film: Film, tmp_path: Path, suffix: str, codec: str, out: str
) -> None:
    """The first frame is the key frame at or before the segment, and all frames follow."""
    options = KEYED if codec == "libx264" else {"g": "20"}
    path = film(tmp_path / f"film.{suffix}", times(100), codec=codec, options=options)
    first, second = cut_clips(path, SEGMENTS, tmp_path / "clips")
    assert (first.segment, second.segment) == (SEGMENTS[1], SEGMENTS[0])
    for clip in (first, second):
        frames = shown(tmp_path / "clips" / clip.name)
        assert clip.name.endswith(f".{out}")
        assert clip.start_s <= clip.segment.start_s
        assert frames[0] == (0.0, round(clip.start_s * FPS))
        numbers = [number for _, number in frames if number < round(clip.segment.end_s * FPS)]
        assert numbers == list(range(numbers[0], round(clip.segment.end_s * FPS)))
        assert clip.end_s >= clip.segment.end_s


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_exact_clips_start_with_the_frame_of_the_segment(
    film: Film, tmp_path: Path, suffix: str
) -> None:
    """Frame 37 is shown at 1.5 s; frame 75 is the first after 3 s."""
    path = film(tmp_path / f"film.{suffix}", times(100), options=KEYED)
    clip = cut_clips(path, SEGMENTS[:1], tmp_path / "clips", exact=True)[0]
    frames = shown(tmp_path / "clips" / clip.name)
    assert [number for _, number in frames] == list(range(37, 75))
    assert [time_s for time_s, _ in frames[:3]] == [0.0, 0.02, 0.06]
    assert clip.start_s == 1.5


@pytest.mark.parametrize("exact", [False, True])
def test_clips_keep_their_sound(video: Path, tmp_path: Path, exact: bool) -> None:
    """It lasts as long as the frames, within one frame of AAC and what decoding adds."""
    clip = cut_clips(video, SEGMENTS[:1], tmp_path, exact=exact)[0]
    assert sound_end_s(tmp_path / clip.name) == pytest.approx(3.0 - clip.start_s, abs=0.15)


@pytest.mark.parametrize("exact", [False, True])
def test_clips_of_a_turned_video_are_upright(video: Path, tmp_path: Path, exact: bool) -> None:
    """Copies keep the display matrix; exact clips are turned themselves."""
    content = bytearray(video.read_bytes())
    start = content.rindex(b"tkhd") + 4 + 40  # the matrix of the video track: a quarter turn
    content[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(content)
    clip = cut_clips(tmp_path / "turned.mp4", SEGMENTS, tmp_path, exact=exact)[0]
    info = probe(tmp_path / clip.name)
    assert (info.width, info.height) == (48, 64)


def test_names_are_safe_and_the_table_has_the_labels(video: Path, tmp_path: Path) -> None:
    """Equal labels and times have names of their own; a long label is cut."""
    segments = [*SEGMENTS, SEGMENTS[0], Segment(1, 2, "é" * 200, 0.1), Segment(1, 2, "../..", 0.1)]
    clips = cut_clips(video, segments, tmp_path)
    names = {clip.name for clip in clips}
    assert len(names) == 5
    assert names | {"match_1_clips.csv"} == {path.name for path in tmp_path.iterdir()}
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)
    assert max(len(name.encode()) for name in names) < 160
    rows = list(csv.DictReader(io.StringIO((tmp_path / "match_1_clips.csv").read_text())))
    assert [row["label"] for row in rows] == [clip.segment.label for clip in clips]
    assert float(rows[0]["clip_start_s"]) == 0.0


def test_files_are_never_replaced_without_being_asked(video: Path, tmp_path: Path) -> None:
    """The error comes before any clip; `overwrite` replaces."""
    name = cut_clips(video, SEGMENTS, tmp_path)[1].name
    (tmp_path / name).write_text("mine")
    with pytest.raises(OptionError, match="exists; expected a folder without clips of this video"):
        cut_clips(video, SEGMENTS, tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    cut_clips(video, SEGMENTS, tmp_path, overwrite=True)
    assert shown(tmp_path / name)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        (Segment(7.5, 9.0, "late"), "lasts 6.000 s, and a segment starts at 7.500 s"),
        (Segment(3.0, 2.0, "back"), "expected an end after its start"),
        (Segment(float("nan"), 2.0, "nan"), "cannot be cut"),
        (Segment(-2.0, -1.0, "before"), "cannot be cut"),
    ],
)
def test_a_segment_outside_the_video_is_an_error_before_any_clip(
    video: Path, tmp_path: Path, segment: Segment, message: str
) -> None:
    """A segment that ends after the video is cut there; one that starts a bit later is a frame."""
    with pytest.raises(VideoError, match=message):
        cut_clips(video, [SEGMENTS[0], segment], tmp_path / "clips")
    assert not (tmp_path / "clips").exists()
    late = cut_clips(video, [Segment(5.0, 99.0, "late", 1)], tmp_path, exact=True)[0]
    assert shown(tmp_path / late.name)[-1][1] == 149
    last = cut_clips(video, [Segment(6.1, 6.2, "last", 1)], tmp_path / "last", exact=True)[0]
    assert [number for _, number in shown(tmp_path / "last" / last.name)] == [149]


@pytest.mark.parametrize("exact", [False, True])
def test_a_damaged_video_leaves_nothing_half_written(
    video: Path, tmp_path: Path, exact: bool
) -> None:
    """Neither a file without frames, nor one that ends before its index."""
    content = video.read_bytes()
    for name, damaged in (("no.mp4", b"not a video"), ("cut.mp4", content[: len(content) // 2])):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(VideoError, match=name):
            cut_clips(tmp_path / name, SEGMENTS, tmp_path / "clips", exact=exact)
        with pytest.raises(VideoError, match=name):
            zip_of_clips(tmp_path / name, SEGMENTS, exact=exact)
    assert not (tmp_path / "clips").exists()


def test_damage_in_the_middle_is_survived(film: Film, tmp_path: Path) -> None:
    """Exact clips show the frames that can be decoded."""
    path = film(tmp_path / "film.ts", times(100), options=KEYED, size=(160, 120))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    clip = cut_clips(path, [Segment(0.5, 3.9, "all")], tmp_path / "clips", exact=True)[0]
    assert len(shown(tmp_path / "clips" / clip.name)) > 30


def test_a_zip_has_every_clip_and_the_table(video: Path) -> None:
    """It is read from parts, none of which is large."""
    parts = list(zip_of_clips(video, SEGMENTS))
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        *clips, table = archive.namelist()
        assert len(clips) == 2
        assert archive.read(table).decode().count("\n") == 3
        frames = av.open(io.BytesIO(archive.read(clips[1])))
        assert sum(1 for _ in frames.decode(video=0)) >= 37


def test_a_zip_takes_little_memory(film: Film, tmp_path: Path) -> None:
    """Fifty clips are sent one after the other."""
    noise: dict[str, Any] = {"size": (640, 480), "options": {"g": "5", "crf": "0"}}
    path = film(tmp_path / "film.mp4", times(10), **noise)
    segments = [Segment(0.0, 0.4, "all")] * 50
    tracemalloc.start()
    total = sum(map(len, consumed(zip_of_clips(path, segments))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 50 * path.stat().st_size / 2
    assert peak < 3_000_000


def consumed(parts: Iterator[bytes]) -> Iterator[bytes]:
    yield from parts


def test_no_segment_is_a_zip_with_an_empty_table(video: Path) -> None:
    """Also a folder with the table only."""
    content = b"".join(zip_of_clips(video, []))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["match_1_clips.csv"]

"""Reading of snippets from videos of all kinds."""

import logging
import struct
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from features.video.limits import VideoLimits
from features.video.reading import VideoInfo, probe, read_snippets
from model.errors import VideoError

Film = Callable[..., Path]
FRAMES = 4


def snippets(path: Path, **options: Any) -> Iterator[np.ndarray]:
    """Snippets of four frames, 25 a second, as small as the videos of these tests."""
    defaults = {"rate_fps": 25, "snippet_frames": FRAMES, "short_side": 48, "threads": 1}
    return read_snippets(path, **(defaults | options))


def frames(path: Path, **options: Any) -> list[int]:
    """The numbers of the frames of all snippets, in order."""
    return [number_of(f) for s in snippets(path, **options) for f in s[:FRAMES]]


def number_of(picture_HWC: np.ndarray) -> int:
    """The number that a frame of a `film` shows."""
    bars = np.array_split(picture_HWC.mean(axis=(0, 2)), 8)
    return sum(int(bar.mean() > 128) << bit for bit, bar in enumerate(bars))


def steady(frames: int, fps: float, start_s: float = 0.0) -> list[float]:
    return [start_s + number / fps for number in range(frames)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "ts", "avi"])
def test_frames_at_the_rate_are_read_one_by_one(film: Film, tmp_path: Path, suffix: str) -> None:
    """This includes B-frames, and the clock of each container."""
    path = film(tmp_path / f"video.{suffix}", steady(20, 25))
    assert list(range(20)) == frames(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("fps", [23.976, 50, 12.5, 30, 60, 7])
def test_other_rates_have_the_frames_that_a_player_shows(
    film: Film, tmp_path: Path, suffix: str, fps: float
) -> None:
    """The frame of each time is the last one before it, up to rounding in containers."""
    path = film(tmp_path / f"video.{suffix}", steady(100, fps))
    got = np.array(frames(path)[:-FRAMES])
    assert len(got) == pytest.approx(2500 / fps, abs=1.5 * FRAMES)
    times_s = np.arange(len(got)) / 25
    assert (np.floor((times_s + 0.001) * fps) <= got).all()
    assert (np.floor((times_s + 0.003) * fps) >= got).all()


def test_variable_rate_follows_the_time_stamps(film: Film, tmp_path: Path) -> None:
    """Frames last as long as their time stamps say, and frames between two times are skipped."""
    path = film(tmp_path / "video.mkv", [0, 0.04, 0.05, 0.06, 0.2, 0.24, 0.28, 0.32])
    assert frames(path)[:8] == [0, 1, 3, 3, 3, 4, 5, 6]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_late_time_stamps_count_from_the_first(film: Film, tmp_path: Path, suffix: str) -> None:
    """A file whose clock starts at five seconds starts at its first frame."""
    path = film(tmp_path / f"video.{suffix}", steady(16, 25, start_s=5))
    assert list(range(16)) == frames(path)


def test_leading_sound_changes_nothing(film: Film, tmp_path: Path) -> None:
    """The video need not be the first stream."""
    path = film(tmp_path / "video.mkv", steady(16, 25), sound_s=1)
    assert list(range(16)) == frames(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_video_that_starts_after_its_sound_keeps_its_time(
    film: Film, tmp_path: Path, suffix: str
) -> None:
    """Times are those of a player, and the first frame is used until it starts."""
    path = film(tmp_path / f"video.{suffix}", steady(15, 25, start_s=1), sound_s=1)
    assert [0] * 25 + list(range(15)) == frames(path)


ROTATION = 65536
TURNS: dict[str, tuple[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]]] = {
    "90": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "180": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "270": ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda p: p[::-1]),
}


@pytest.mark.parametrize("turn", TURNS)
def test_display_matrix_is_applied(film: Film, tmp_path: Path, turn: str) -> None:
    """The video of a phone is upright, and its short side is that of the displayed image."""
    path = film(tmp_path / "video.mp4", steady(4, 25), size=(96, 48))
    (expected,) = snippets(path)
    matrix, turned = TURNS[turn]
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40  # after version, times, id, layer and volume
    a, b, c, d = (value * ROTATION for value in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    (got,) = snippets(path)
    for picture, upright in zip(expected, got, strict=True):
        np.testing.assert_array_equal(turned(picture), upright)
    assert (got.shape[2], got.shape[1]) == (probe(path).width, probe(path).height)


def test_fields_of_interlaced_frames_do_not_mix(tmp_path: Path) -> None:
    """One field is used, instead of a comb of two moments."""
    path = tmp_path / "video.mp4"
    comb = np.zeros((48, 64, 3), np.uint8)
    comb[::2] = 255
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            "libx264", rate=25, options={"x264-params": "tff=1", "qp": "10"}
        )
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(comb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    (got,) = snippets(path)
    assert got.min() > 240


def test_wide_pixels_are_shown_wide(tmp_path: Path, film: Film) -> None:
    """The sample aspect ratio counts."""
    path = film(tmp_path / "v.mkv", steady(4, 25), options={"x264-params": "sar=2/1"})
    assert (probe(path).width, probe(path).height) == (128, 48)
    (got,) = snippets(path)
    assert got.shape == (5, 48, 128, 3)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (5, 1), (6, 2), (8, 2), (9, 2), (10, 3)])
def test_remainder_counts_from_half_a_snippet_on(
    film: Film, tmp_path: Path, count: int, expected: int
) -> None:
    """A shorter one is dropped, unless it is the whole video."""
    path = film(tmp_path / "video.mp4", steady(count, 25))
    assert expected == len(list(snippets(path)))


def test_snippets_share_their_borders(film: Film, tmp_path: Path) -> None:
    """Each ends with the first frame of the next; at the end the last frame is repeated."""
    path = film(tmp_path / "video.mp4", steady(7, 25))
    numbers = [[number_of(f) for f in s] for s in snippets(path)]
    assert numbers == [[0, 1, 2, 3, 4], [4, 5, 6, 6, 6]]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "mpeg4"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_any_start_gives_the_same_snippets(
    film: Film, tmp_path: Path, suffix: str, codec: str
) -> None:
    """Reading from any snippet equals reading from the start, open groups included."""
    options = {"g": "10", "x265-params": "log-level=none"} if codec == "libx265" else {"g": "10"}
    stamps_s = steady(60, 29.97, start_s=0.5)
    path = film(tmp_path / f"video.{suffix}", stamps_s, codec=codec, options=options)
    expected = list(snippets(path))
    for first in (1, 2, 5, 11, len(expected) - 1, len(expected), 99):
        got = list(snippets(path, first_snippet=first, threads=0))
        assert len(expected[first:]) == len(got)
        np.testing.assert_array_equal(expected[first:], got)


@pytest.mark.parametrize("name", ["arm_wrestling.mp4", "flipping_a_pancake.mkv", "short.avi"])
def test_any_start_gives_the_same_snippets_of_real_clips(
    shared: Callable[[str], Path], name: str
) -> None:
    """The files are those of real encoders."""
    path = shared(f"data/clips/{name}")
    expected = list(snippets(path, snippet_frames=16))
    for first in (3, len(expected) - 1):
        got = list(snippets(path, snippet_frames=16, first_snippet=first))
        np.testing.assert_array_equal(expected[first:], got)


def test_packed_frames_of_real_avi_files_keep_their_order(shared: Callable[[str], Path]) -> None:
    """Their time stamps are 1, 3, 2, 5, 4, but each frame is read once, in order."""
    path = shared("data/clips/v_Hammering_g17_c05.avi")
    pictures = [f for s in snippets(path, snippet_frames=16) for f in s[:-1]][:120]
    assert not any(np.array_equal(first, second) for first, second in pairwise(pictures))


def with_edits(path: Path, edits: Sequence[tuple[float, float | None]]) -> Path:
    """Replaces the edit list of an MP4 file with one track.

    Args:
        path: the file, whose `moov` box is at its end.
        edits: duration and start in the media of each edit in seconds; None shows nothing.
    """
    content = path.read_bytes()
    old = content.index(b"edts") - 4
    size, first = struct.unpack_from(">I", content, old)[0], content.index(b"elst") + 16
    begin = struct.unpack_from(">i", content, first)[0]  # frames before are decoded, not shown
    clocks = [
        struct.unpack_from(">I", content, content.index(box) + 16)[0] for box in (b"mvhd", b"mdhd")
    ]
    rows = b"".join(
        struct.pack(
            ">IiI",
            round(length_s * clocks[0]),
            -1 if start_s is None else begin + round(start_s * clocks[1]),
            0x10000,
        )
        for length_s, start_s in edits
    )
    elst = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(edits)) + rows
    edts = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
    changed = bytearray(content[:old] + edts + content[old + size :])
    for box in (b"moov", b"trak"):
        place = changed.index(box) - 4
        grown = struct.unpack_from(">I", changed, place)[0] + len(edts) - size
        struct.pack_into(">I", changed, place, grown)
    path.write_bytes(changed)
    return path


@pytest.mark.parametrize(
    ("edits", "expected", "b_frames"),
    [
        ([(4.0, 0.0)], [*range(100)], 2),
        ([(3.2, 0.8)], [*range(20, 100)], 2),
        ([(1.6, 0.4)], [*range(10, 50)], 2),
        ([(0.8, 0.2), (1.6, 2.0)], [*range(5, 25), *range(50, 90)], 0),
        ([(0.8, 2.0), (0.8, 0.2)], [*range(50, 70), *range(5, 25)], 0),
        ([(1.0, None), (4.0, 0.0)], [*range(100)], 2),
    ],
    ids=["whole", "later start", "middle", "two parts", "exchanged", "late"],
)
def test_edit_lists_of_mp4_choose_and_order_the_frames(
    edits: list[tuple[float, float | None]],
    expected: list[int],
    b_frames: int,
    film: Film,
    tmp_path: Path,
) -> None:
    """Frames and times are those of a player, also where a part starts between key frames.

    With B-frames, FFmpeg places the second part of a file one frame off.
    """
    options = {"g": "12", "bf": str(b_frames)}
    path = with_edits(film(tmp_path / "video.mp4", steady(100, 25), options=options), edits)
    assert frames(path) == expected
    assert frames(path, first_snippet=2) == expected[2 * FRAMES :]


def test_clock_that_jumps_back_continues(film: Film, tmp_path: Path) -> None:
    """In joined transport streams, the second part follows the first."""
    part = film(tmp_path / "part.ts", steady(40, 25)).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part + part)
    got = frames(path)
    assert 76 <= len(got) <= 84
    assert list(range(38)) == got[:38]
    assert 39 in got[-4:]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_broken_tail_gives_the_frames_before_it(
    film: Film, tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Earlier frames are unchanged, and a warning names the file."""
    faststart = {"movflags": "faststart"} if suffix == "mp4" else {}
    path = film(tmp_path / f"video.{suffix}", steady(200, 25), options={"g": "10"},
                container_options=faststart)  # fmt: skip
    whole = frames(path)
    assert not caplog.records
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    got = frames(path)
    assert 60 < len(got) < 180
    assert whole[: len(got) - 8] == got[:-8]
    assert all(path.name in record.message for record in caplog.records)
    assert {logging.WARNING} == {record.levelno for record in caplog.records}


def test_damage_in_the_middle_costs_the_damaged_frames(
    film: Film, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames before and after it have their times."""
    path = film(tmp_path / "video.mkv", steady(100, 25), codec="ffv1")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(content)
    got = frames(path)
    assert list(range(40)) == got[:40]
    assert list(range(60, 100)) == got[60:]


def test_header_that_claims_ten_hours_changes_nothing(
    film: Film, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only decoded frames count."""
    path = film(tmp_path / "video.mkv", steady(16, 25))
    content = bytearray(path.read_bytes())
    start = content.index(b"\x44\x89\x88") + 3  # the element Duration, eight bytes long
    content[start : start + 8] = struct.pack(">d", 36_000_000.0)  # milliseconds
    path.write_bytes(content)
    assert probe(path).duration_s == 36_000
    assert list(range(16)) == frames(path)
    assert "the header claims" in caplog.text


@pytest.mark.parametrize("size", [(2, 2), (64, 2), (1, 1)])
def test_tiny_frames_are_read(film: Film, tmp_path: Path, size: tuple[int, int]) -> None:
    """Two frames of one pixel are a video."""
    path = film(tmp_path / "video.mkv", steady(2, 25), size=size, codec="ffv1")
    (got,) = snippets(path)
    assert got.shape[:2] == (FRAMES + 1, 48)
    assert got.shape[2] <= 4 * 48


def test_exceeded_limits_are_errors(film: Film, tmp_path: Path) -> None:
    """Pixels are checked before any frame is decoded, duration and frames while decoding."""
    path = film(tmp_path / "video.mp4", steady(100, 25))
    with pytest.raises(VideoError, match="64 x 48 pixels; expected at most 3000"):
        next(snippets(path, limits=VideoLimits(max_frame_pixels=3000)))
    with pytest.raises(VideoError, match="lasts longer than 2 s"):
        list(snippets(path, limits=VideoLimits(max_duration_s=2)))
    with pytest.raises(VideoError, match="more than 50 frames"):
        list(snippets(path, limits=VideoLimits(max_frames=50)))


def test_frames_that_grow_beyond_the_limit_are_left_out(
    film: Film, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Later frames that are larger than the header claims take no memory."""
    small = film(tmp_path / "small.ts", steady(20, 25)).read_bytes()
    large = film(tmp_path / "large.ts", steady(20, 25), size=(640, 480)).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(small + large)
    limits = VideoLimits(max_frame_pixels=64 * 64)
    got = frames(path, limits=limits)
    assert list(range(16)) == got[:16]
    assert len(got) <= 28


def test_memory_does_not_grow_with_length(film: Film, tmp_path: Path) -> None:
    """Few snippets are in memory, whatever the length of the video."""
    path = film(tmp_path / "video.mp4", steady(1500, 25), options={"preset": "ultrafast"})
    one = (FRAMES + 1) * 48 * 64 * 3
    tracemalloc.start()
    before = resident_bytes()
    count = sum(1 for _ in snippets(path, threads=0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 375
    assert peak < 8 * one + 500_000
    assert resident_bytes() - before < 40_000_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_probe_returns_the_properties_of_a_video(film: Film, tmp_path: Path) -> None:
    """These are size, rate, codec and the duration in the header."""
    path = film(tmp_path / "video.mp4", steady(50, 25))
    assert VideoInfo(duration_s=2.0, width=64, height=48, fps=25.0, codec="h264") == probe(path)


def no_frames(path: Path, film: Film) -> None:
    film(path, steady(3, 25), container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes().split(b"mdat")[0])


def sound_alone(path: Path, film: Film) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 4000), np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())


def playlist(path: Path, film: Film) -> None:
    other = film(path.with_name("other.ts"), steady(10, 25))
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")


def concatenation(path: Path, film: Film) -> None:
    other = film(path.with_name("other.mp4"), steady(10, 25))
    path.write_text(f"ffconcat version 1.0\nfile {other.name}\n")


BAD: dict[str, tuple[str, Callable[[Path, Film], object]]] = {
    "absent": ("no video file", lambda _, __: None),
    "a folder": ("no video file", lambda path, _: path.mkdir()),
    "empty": ("not a video", lambda path, _: path.write_bytes(b"")),
    "text": ("not a video", lambda path, _: path.write_text("Dear diary,\n" * 50)),
    "sound alone": ("no video stream; it contains audio", sound_alone),
    "no frames": ("without a frame that can be decoded", no_frames),
    "a playlist": ("not a video", playlist),
    "a concatenation": ("not a video", concatenation),
    "a picture": ("not a video", lambda path, _: path.write_bytes(b"\x89PNG\r\n\x1a\n" * 99)),
    "a session": ("not a video", lambda path, _: path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n")),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_other_files_are_errors_that_name_them(kind: str, film: Film, tmp_path: Path) -> None:
    """No other file and no URL is opened for them."""
    path = tmp_path / "video.mp4"
    message, make = BAD[kind]
    make(path, film)
    with pytest.raises(VideoError, match=message) as error:
        next(snippets(path))
    assert path.name in str(error.value)
    with pytest.raises(VideoError, match=message):
        probe(path)


def test_path_like_a_url_is_a_file(film: Film, tmp_path: Path, monkeypatch: Any) -> None:
    """The file with that name is read."""
    monkeypatch.chdir(tmp_path)
    name = Path("concat:a.mp4|b.mp4")
    film(tmp_path / "a.mp4", steady(4, 25)).rename(tmp_path / name)
    assert list(range(4)) == frames(name)

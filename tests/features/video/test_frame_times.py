"""Times of the frames of files: how long they are shown, and where time starts."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from features.video.decoding import decode
from features.video.frame_times import TimedFrame, at_rate, frame_at, frames_from, timed_frames
from features.video.limits import VideoLimits
from features.video.reading import probe, read_snippets
from model.errors import VideoError

Film = Callable[..., Path]


def seconds(path: Path) -> float:
    """Length of a video to a tenth of a second."""
    return sum(1 for _ in read_snippets(path, rate_fps=10, snippet_frames=1, short_side=8)) / 10


def steady(frames: int, fps: float, start_s: float = 0.0) -> list[float]:
    return [start_s + number / fps for number in range(frames)]


def slides(count: int) -> list[float]:
    """Stamps of slides 20 s apart, with five quick frames each."""
    return [20 * slide + 0.2 * frame for slide in range(count) for frame in range(5)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "webm"])
def test_slides_of_a_variable_rate_last_as_long_as_shown(
    film: Film, tmp_path: Path, suffix: str
) -> None:
    """Quick frames after a long one are not taken for a clock that jumped back."""
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    path = film(tmp_path / f"slides.{suffix}", slides(4), codec=codec)
    assert pytest.approx(60.8, abs=0.3) == seconds(path)


@pytest.mark.parametrize("name", ["slides.mp4", "slides.mkv"])
def test_reference_slides_last_100_s(shared: Callable[[str], Path], name: str) -> None:
    """The average rate in the header of one of them is 0.3 frames a second."""
    assert pytest.approx(100.8, abs=0.11) == seconds(shared(f"data/cases/video/{name}"))


def shift_stamp(path: Path, frame: int, seconds: int) -> None:
    """Adds seconds to the time stamp of one frame of a transport stream."""
    content = bytearray(path.read_bytes())
    starts = [
        at
        for at in range(0, len(content), 188)
        if content[at + 1] & 0x40 and b"\0\0\1\xe0" in content[at : at + 188]
    ]
    at = content.index(b"\0\0\1\xe0", starts[frame]) + 9
    a, b, c, d, e = content[at : at + 5]
    ticks = ((a >> 1 & 7) << 30) + (b << 22) + ((c >> 1) << 15) + (d << 7) + (e >> 1)
    ticks += seconds * 90_000
    content[at : at + 5] = bytes(
        [a & 0xF1 | ticks >> 29 & 0xE, ticks >> 22 & 255, ticks >> 14 & 254 | 1, ticks >> 7 & 255,
         ticks << 1 & 254 | 1]
    )  # fmt: skip
    path.write_bytes(content)


@pytest.mark.parametrize("frame", [0, 1, 50, 98, 99])
@pytest.mark.parametrize("off_s", [3760, 20, -7])
def test_one_wrong_stamp_changes_nothing(
    film: Film, tmp_path: Path, frame: int, off_s: int
) -> None:
    """Whether it is ahead or behind, and wherever it is."""
    path = film(tmp_path / "video.ts", steady(100, 25, start_s=10), options={"bf": "0"})
    shift_stamp(path, frame, off_s)
    if (frame, off_s) == (0, -7):
        assert pytest.approx(11.0, abs=0.15) == seconds(path)  # a first frame may last long
    else:
        assert pytest.approx(4.0, abs=0.15) == seconds(path)


@pytest.mark.parametrize("start_s", [95441.717, 95443.6])
def test_clock_that_wraps_around_goes_on(film: Film, tmp_path: Path, start_s: float) -> None:
    """The clock of a transport stream begins again after 26.5 hours."""
    path = film(tmp_path / "video.ts", steady(100, 25, start_s=start_s))
    assert pytest.approx(4.0, abs=0.15) == seconds(path)


def test_reference_outlier_changes_nothing(shared: Callable[[str], Path]) -> None:
    """One frame of 500 is stamped an hour ahead."""
    path = shared("data/cases/video/one_frame_future.ts")
    assert pytest.approx(20.0, abs=0.15) == seconds(path)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_last_image_of_a_time_lapse_counts_as_long_as_the_header_confirms(
    film: Film, tmp_path: Path, suffix: str
) -> None:
    """Six images at 0.1 frames a second last a minute."""
    path = film(tmp_path / f"lapse.{suffix}", steady(6, 0.1), rate=Fraction(1, 10))
    assert probe(path).duration_s == pytest.approx(60.0, abs=0.1)
    assert pytest.approx(60.0, abs=0.15) == seconds(path)


def test_video_with_a_longer_sound_has_its_own_length(film: Film, tmp_path: Path) -> None:
    """The header of the file has the length of the sound."""
    path = film(tmp_path / "video.mp4", steady(50, 25), sound_s=9)
    assert probe(path).duration_s == pytest.approx(2.0, abs=0.05)


def test_frames_without_stamps_are_one_period_apart(film: Film, tmp_path: Path) -> None:
    """A raw stream has its rate in the header, but no time stamps."""
    path = film(tmp_path / "video.m4v", steady(30, 10), codec="mpeg4", rate=10)
    assert pytest.approx(3.0, abs=0.15) == seconds(path)


def test_only_a_video_that_ends_early_is_remarked(
    film: Film, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The header claims 40 s of both; half of one is there."""
    path = film(tmp_path / "a.mp4", steady(400, 10), container_options={"movflags": "+faststart"})
    assert pytest.approx(40.0, abs=0.15) == seconds(path)
    assert not caplog.records
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert seconds(path) < 35
    assert any("but the header claims" in record.message for record in caplog.records)


class Header:
    """Stands in for a stream and its container: what a header says, and frames that it has not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **facts: object) -> None:
        self.name, self.format = "v.any", SimpleNamespace(name="any")
        self.average_rate = self.guessed_rate = self.start_time = self.duration = None
        self.time_base = Fraction(1, 100)
        self.__dict__ |= facts
        monkeypatch.setattr("features.video.frame_times._container", lambda stream: stream)

    def seek(self, *_: object, **__: object) -> None:
        """Fails, as for a file with a damaged index."""
        raise av.FFmpegError(1, "no index")


def spans_s(header: Header, *frames: SimpleNamespace, limit_s: float = 60) -> list:
    """Times of frames, rounded."""
    limits = VideoLimits(max_duration_s=limit_s)
    read = timed_frames(header, iter(frames), origin_s=0.0, limits=limits)
    return [(round(one.start_s, 3), round(one.end_s, 3)) for one in read]


def coded(pts: int | None, duration: int | None = None) -> SimpleNamespace:
    """A frame with its stamp and duration in hundredths of a second."""
    return SimpleNamespace(pts=pts, duration=duration)


@pytest.mark.parametrize(
    ("rates", "period_s"),
    [
        ({"average_rate": Fraction(10)}, 0.1),
        ({"guessed_rate": Fraction(5)}, 0.2),
        ({}, 0.04),
    ],
)
def test_period_of_frames_without_stamps_and_durations(
    monkeypatch: pytest.MonkeyPatch, rates: dict, period_s: float
) -> None:
    """That of the average rate, else of the guessed one, else of 25 frames a second."""
    header = Header(monkeypatch, **rates)
    times_s = [round(number * period_s, 3) for number in range(4)]
    expected = list(itertools.pairwise(times_s))
    assert spans_s(header, coded(None), coded(None), coded(None)) == expected
    header.time_base = None
    assert spans_s(header, coded(0), coded(10), coded(20)) == expected


def test_duration_of_a_frame_counts_before_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a second of the last frame counts if the header has room for it."""
    rate = {"average_rate": Fraction(10)}
    frames = coded(0, 50), coded(50, 400)
    assert spans_s(Header(monkeypatch, **rate), *frames) == [(0, 0.5), (0.5, 1.5)]
    long = Header(monkeypatch, **rate, duration=450)
    assert spans_s(long, *frames) == [(0, 0.5), (0.5, 4.5)]


def test_a_table_of_frames_refuses_a_video_before_its_first_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MP4 has one. What other headers claim may be wrong, and only time stamps count."""
    mp4 = SimpleNamespace(name="mov,mp4,m4a,3gp,3g2,mj2")
    with pytest.raises(VideoError, match=r"v\.any lasts longer than 60 s; split it"):
        spans_s(Header(monkeypatch, duration=6001, format=mp4))
    assert spans_s(Header(monkeypatch, duration=6000, format=mp4), coded(0, 4)) == [(0, 0.04)]
    claims = Header(monkeypatch, duration=6001, format=SimpleNamespace(name="matroska,webm"))
    assert spans_s(claims, coded(0, 4), coded(6000, 4)) == [(0, 0.04), (60, 60.04)]
    with pytest.raises(VideoError, match="lasts longer than 60 s"):
        spans_s(claims, coded(0, 4), coded(6001, 4))


def test_without_a_seek_there_are_no_frames_from_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The caller then reads the file from its start."""
    monkeypatch.setattr("features.video.frame_times.decode", lambda *_, **__: iter([coded(0)]))
    mkv = Header(monkeypatch, format=SimpleNamespace(name="matroska,webm"))
    assert frames_from(mkv, 10.0) is None
    assert [frame.pts for frame in frames_from(Header(monkeypatch), 10.0)] == [0]


def timed(*spans_s: tuple[float, float]) -> list[TimedFrame]:
    return [TimedFrame(*span_s, av.VideoFrame(16, 16, "gray")) for span_s in spans_s]


@pytest.mark.parametrize(
    ("spans_s", "first", "shown"),
    [
        ([(0, 0.6), (0.6, 0.9), (0.9, 1.9)], 0, [0, 0, 2, 2]),
        ([(0, 0.6), (0.6, 0.9), (0.9, 1.9)], 2, [2, 2]),
        ([(1, 2)], 0, [0, 0, 0, 0]),
        ([(0, 0.5015), (0.5015, 1.0015)], 0, [0, 1]),
        ([(0, 0.5025), (0.5025, 1.0025)], 0, [0, 0, 1]),
        ([(0, 0)], 0, [0]),
        ([(0, 0)], 1, []),
        ([], 0, []),
    ],
)
def test_frames_at_a_rate_are_those_shown(
    spans_s: list[tuple[float, float]], first: int, shown: list[int]
) -> None:
    """At 2 a second; the first frame also counts before its start, and 2 ms are no time."""
    frames = timed(*spans_s)
    got = list(at_rate(frames, 2, first=first))
    assert [next(i for i, one in enumerate(frames) if one.frame is each) for each in got] == shown


def test_frame_at_a_time_is_the_last_that_has_started() -> None:
    """Before the first frame it is the first; 2 ms are no time."""
    frames = timed((1, 2), (2, 3), (3, 4))
    for time_s, index in ((0, 0), (1.5, 0), (1.997, 0), (1.9985, 1), (2.5, 1), (99, 2)):
        assert frame_at(frames, time_s) is frames[index].frame
    assert frame_at([], 1.0) is None


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_limits_of_a_video_are_inclusive(film: Film, tmp_path: Path, suffix: str) -> None:
    """Five frames up to 1.6 s; the header of MP4 already has the length of 2 s."""
    path = film(tmp_path / f"video.{suffix}", steady(5, 2.5), rate=Fraction(5, 2), codec="mpeg4")
    longest_s = probe(path).duration_s if suffix == "mp4" else 1.6

    def count(**limits: float) -> int:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            limited = VideoLimits(**limits)  # type: ignore[arg-type]
            return len(list(timed_frames(stream, decode(stream), origin_s=0.0, limits=limited)))

    assert count(max_frames=5, max_duration_s=longest_s + 0.001) == 5
    with pytest.raises(VideoError, match="has more than 4 frames"):
        count(max_frames=4)
    with pytest.raises(VideoError, match=r"lasts longer than 1\.5 s"):
        count(max_duration_s=1.5)

"""Reading from the middle of a video gives what reading from its start gives, or is not done."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from features.video import frame_times, reading
from features.video.reading import read_snippets

Film = Callable[..., Path]


class Decoded:
    """Counts the frames that are decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames = 0
        decode = frame_times.decode

        def counting(stream: Any, **options: Any) -> Iterator[Any]:
            for frame in decode(stream, **options):
                self.frames += 1
                yield frame

        for module in (frame_times, reading):
            monkeypatch.setattr(module, "decode", counting)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    """A count of the decoded frames of this test."""
    return Decoded(monkeypatch)


def snippets(path: Path, **options: Any) -> list[np.ndarray]:
    defaults = {"rate_fps": 25, "snippet_frames": 4, "short_side": 48, "threads": 1}
    return list(read_snippets(path, **(defaults | options)))


def whole(path: Path) -> tuple[list[np.ndarray], dict[int, str]]:
    """All snippets, and the border before each."""
    borders: dict[int, str] = {}
    return snippets(path, on_border=borders.__setitem__), borders


def check_resumed(path: Path, starts: Iterable[int] | None = None) -> None:
    """Checks that reading from any border equals unbroken reading."""
    expected, borders = whole(path)
    for first in starts or range(1, len(expected), max(1, len(expected) // 6)):
        got = snippets(path, first_snippet=first, border=borders[first], threads=first % 3)
        assert len(expected[first:]) == len(got)
        np.testing.assert_array_equal(expected[first:], got)


def steady(frames: int, fps: float = 25) -> list[float]:
    return [number / fps for number in range(frames)]


def has_encoder(codec: str) -> bool:
    try:
        av.Codec(codec, "w")
    except ValueError:
        return False
    return True


CODECS = {
    "mp4": ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "mpeg4", "mjpeg"),
    "mkv": ("libx264", "libvpx", "libvpx-vp9", "ffv1", "mpeg2video"),
    "mov": ("prores_ks", "dnxhd", "qtrle", "png", "cinepak", "svq1"),
    "avi": ("mpeg4", "msmpeg4v2", "libx264", "utvideo", "huffyuv", "rawvideo", "zmbv"),
    "ts": ("libx264", "mpeg2video"),
    "flv": ("flv", "flashsv"),
    "webm": ("libvpx", "libvpx-vp9"),
    "wmv": ("wmv1", "wmv2"),
    "mpg": ("mpeg1video", "mpeg2video"),
    "mxf": ("mpeg2video",),
    "gif": ("gif",),
}
"""Encoders to try in each container."""
PIXELS = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le", "dnxhd": "yuv422p", "qtrle": "rgb24",
          "png": "rgb24", "gif": "rgb8", "huffyuv": "yuv422p", "cinepak": "rgb24",
          "svq1": "yuv410p", "zmbv": "bgr0", "flashsv": "bgr24"}  # fmt: skip
SIZES = {"dnxhd": (256, 192)}
OPTIONS = {"libx265": {"x265-params": "log-level=none"}, "dnxhd": {"profile": "dnxhr_hq"}}


@pytest.mark.parametrize(
    ("suffix", "codec"), [(suffix, codec) for suffix, codecs in CODECS.items() for codec in codecs]
)
def test_every_codec_is_read_and_resumed(
    film: Film, tmp_path: Path, suffix: str, codec: str
) -> None:
    """The unbroken reading finds every frame, and the resumed one equals it."""
    if not has_encoder(codec):
        pytest.skip(f"this build of FFmpeg has no encoder {codec}")
    path = film(tmp_path / f"video.{suffix}", steady(40), codec=codec,
                options={"g": "12"} | OPTIONS.get(codec, {}), pixels=PIXELS.get(codec, "yuv420p"),
                size=SIZES.get(codec, (64, 48)),
                ticks=50_000 if codec == "libx264" else 25)  # fmt: skip
    expected, _ = whole(path)
    assert len(expected) == 10
    check_resumed(path, (1, 5, 8))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_resumed_reading_decodes_few_frames(
    film: Film, tmp_path: Path, suffix: str, decoded: Decoded
) -> None:
    """A start near the end of a long file is found by its index."""
    path = film(tmp_path / f"video.{suffix}", steady(1000), options={"g": "25"})
    expected, borders = whole(path)
    assert decoded.frames >= 1000
    decoded.frames = 0
    got = snippets(path, first_snippet=240, border=borders[240])
    np.testing.assert_array_equal(expected[240:], got)
    assert decoded.frames < 120


@pytest.mark.parametrize("border", [None, "of another frame"])
def test_without_the_right_border_a_video_is_decoded_from_its_start(
    film: Film, tmp_path: Path, decoded: Decoded, border: str | None
) -> None:
    """The snippets are right whatever the border is."""
    path = film(tmp_path / "video.mp4", steady(200), options={"g": "10"})
    expected, _ = whole(path)
    decoded.frames = 0
    got = snippets(path, first_snippet=30, border=border)
    np.testing.assert_array_equal(expected[30:], got)
    assert decoded.frames >= 200


def name_old_encoder(path: Path) -> None:
    """Changes the version of x264 in the first packet to one that is decoded otherwise."""
    content = path.read_bytes()
    start = content.index(b"x264 - core ") + len(b"x264 - core ")
    path.write_bytes(content[:start] + b"148" + content[start + 3 :])


def old_x264(path: Path, film: Film) -> None:
    """Writes H.264 4:4:4 whose first packet alone names an old encoder; its decoding differs."""
    film(path, steady(100), pixels="yuv444p", size=(322, 241),
         options={"g": "20", "qp": "0", "x264-params": "partitions=i8x8:cabac=0"})  # fmt: skip
    name_old_encoder(path)


def test_settings_in_the_first_packet_are_known_after_a_seek(
    film: Film, tmp_path: Path, decoded: Decoded
) -> None:
    """The first frame is decoded before the seek, so the index is used all the same."""
    path = tmp_path / "video.mp4"
    old_x264(path, film)
    check_resumed(path)
    _, borders = whole(path)
    decoded.frames = 0
    snippets(path, first_snippet=22, border=borders[22])
    assert decoded.frames < 60


def test_reference_video_of_an_old_encoder_is_resumed(shared: Callable[[str], Path]) -> None:
    """A seek without the first frame gives green images."""
    check_resumed(shared("data/cases/video/h264_444_old_x264.mp4"))


def without_sync_table(path: Path, film: Film) -> None:
    """Any frame counts as a key frame."""
    film(path, steady(200), options={"g": "1000"})
    path.write_bytes(path.read_bytes().replace(b"stss", b"free"))


def clock_goes_back(path: Path, film: Film) -> None:
    """The clusters of the second half are stamped two seconds early."""
    film(path, steady(200), options={"g": "10", "bf": "0"},
         container_options={"cluster_time_limit": "400"})  # fmt: skip
    content = bytearray(path.read_bytes())
    at = content.index(b"\x1f\x43\xb6\x75")
    while (at := content.find(b"\x1f\x43\xb6\x75", at)) >= 0:
        at = content.index(b"\xe7\x82", at) + 2
        stamp_ms = int.from_bytes(content[at : at + 2], "big")
        if stamp_ms >= 4000:
            content[at : at + 2] = (stamp_ms - 2000).to_bytes(2, "big")
    path.write_bytes(content)


def fragments(path: Path, film: Film) -> None:
    """A fragmented file, as phones and streams write them."""
    film(path, steady(200), options={"g": "10"},
         container_options={"movflags": "frag_keyframe+empty_moov"})  # fmt: skip


def open_groups(path: Path, film: Film) -> None:
    """Key frames that later frames precede."""
    film(path, steady(200), options={"g": "10", "x264-params": "open-gop=1:bframes=3"})


def periodic_refresh(path: Path, film: Film) -> None:
    """A single key frame; afterwards the image is refreshed column by column."""
    film(path, steady(200), options={"x264-params": "intra-refresh=1:keyint=30"})


def cut_off(path: Path, film: Film) -> None:
    """The last third is absent."""
    film(path, steady(200), options={"g": "10"}, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def damaged(path: Path, film: Film) -> None:
    """Zeros in a few frames; a decoder conceals them with what it decoded before."""
    film(path, steady(200), options={"g": "40", "qp": "5"}, size=(320, 240))
    content = bytearray(path.read_bytes())
    for tenth in range(3, 9):
        at = len(content) * tenth // 10
        content[at : at + 30] = bytes(30)
    path.write_bytes(content)


def misread(path: Path, film: Film) -> None:
    """The version of the encoder is wrong, so the decoder finds errors in most frames."""
    film(path, steady(100), pixels="yuv444p", size=(322, 241),
         options={"g": "20", "qp": "20", "x264-params": "8x8dct=1:partitions=i8x8"})  # fmt: skip
    name_old_encoder(path)


def variable_rate(path: Path, film: Film) -> None:
    """Distances of 0.01 to 1.5 seconds."""
    stamps_s = np.cumsum(np.random.default_rng(1).choice([0.01, 0.04, 0.3, 1.5], 60))
    film(path, stamps_s, options={"g": "7"})


def late_start(path: Path, film: Film) -> None:
    """Sound begins three seconds before the first image."""
    film(path, [3 + number / 25 for number in range(150)], options={"g": "10"}, sound_s=9)


def interlaced(path: Path, film: Film) -> None:
    """Frames of two fields."""
    film(path, steady(200), options={"g": "10", "x264-params": "tff=1"})


KINDS = [
    ("mp4", without_sync_table),
    ("mp4", fragments),
    ("mkv", clock_goes_back),
    *[
        (suffix, kind)
        for suffix in ("mp4", "mkv")
        for kind in (
            open_groups,
            periodic_refresh,
            cut_off,
            damaged,
            misread,
            variable_rate,
            late_start,
            interlaced,
        )
    ],
]


@pytest.mark.parametrize(("suffix", "kind"), KINDS)
def test_every_kind_of_file_is_resumed(
    film: Film, tmp_path: Path, suffix: str, kind: Callable[[Path, Film], None]
) -> None:
    """This includes files whose index or clock is wrong."""
    path = tmp_path / f"video.{suffix}"
    kind(path, film)
    check_resumed(path)

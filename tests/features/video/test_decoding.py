"""Choice of the stream of a file, and files that are refused by name."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from features.video.decoding import FORMATS
from features.video.reading import probe, read_snippets
from features.video.transport_stream import SYNC
from model.errors import VideoError

Film = Callable[..., Path]


def length_s(path: Path) -> float:
    return sum(1 for _ in read_snippets(path, rate_fps=10, snippet_frames=1, short_side=8)) / 10


@dataclass
class Part:
    """A video stream of a file."""

    size: tuple[int, int]
    frames: int = 50
    codec: str = "libx264"
    default: bool = True


def write(path: Path, parts: Sequence[Part], metadata: dict[str, str] | None = None) -> Path:
    """Writes a file with several video streams of random images."""
    noise = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        streams = []
        for part in parts:
            stream: Any = container.add_stream(part.codec, rate=25)
            stream.width, stream.height = part.size
            stream.pix_fmt = "yuvj420p" if part.codec == "mjpeg" else "yuv420p"
            stream.metadata.update(metadata or {})
            disposition = av.stream.Disposition
            stream.disposition = disposition.default if part.default else disposition(0)
            streams.append(stream)
        for part, stream in zip(parts, streams, strict=True):
            for number in range(part.frames):
                pixels = noise.integers(0, 255, (*part.size[::-1], 3), np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


MAIN = Part((96, 64))
THUMBNAIL = Part((320, 240), frames=1, codec="mjpeg", default=False)
CHOICES = {
    "a thumbnail first": ("mp4", [THUMBNAIL, MAIN]),
    "a default thumbnail": ("mp4", [Part((320, 240), 1, "mjpeg"), MAIN]),
    "one frame of H.264 first": ("mp4", [Part((320, 240), 1), MAIN]),
    "an image in Matroska": ("mkv", [THUMBNAIL, MAIN]),
    "a preview first": ("mp4", [Part((64, 48)), MAIN]),
    "a preview last": ("mp4", [MAIN, Part((64, 48))]),
    "a larger stream that is not the default": ("mkv", [Part((128, 96), default=False), MAIN]),
    "a small programme": ("ts", [Part((64, 48)), MAIN]),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_the_default_or_largest_moving_stream_is_read(tmp_path: Path, choice: str) -> None:
    """Thumbnails and previews are not, wherever they are."""
    suffix, parts = CHOICES[choice]
    path = write(tmp_path / f"video.{suffix}", parts)
    assert (probe(path).width, probe(path).height) == (96, 64)
    assert pytest.approx(2.0, abs=0.15) == length_s(path)


def test_a_stream_of_images_alone_is_a_video(tmp_path: Path) -> None:
    """Motion JPEG, and a single image."""
    for frames in (50, 1):
        path = write(tmp_path / "video.mp4", [Part((96, 64), frames, "mjpeg")])
        assert probe(path).codec == "mjpeg"


@pytest.mark.parametrize(("name", "seconds", "width"), [
    ("thumb_first.mp4", 12.0, 160), ("preview_first.mp4", 12.0, 160)])  # fmt: skip
def test_reference_files_with_two_streams(
    shared: Callable[[str], Path], name: str, seconds: float, width: int
) -> None:
    """The video is the second stream."""
    path = shared(f"data/cases/video/{name}")
    assert pytest.approx(seconds, abs=0.15) == length_s(path)
    assert width == probe(path).width


ENCRYPTION = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


@pytest.mark.parametrize("flags", ["faststart", "frag_keyframe+empty_moov"])
def test_encrypted_files_are_refused_as_such(film: Film, tmp_path: Path, flags: str) -> None:
    """A decoder would give images of noise."""
    path = film(tmp_path / "video.mp4", [number / 25 for number in range(20)],
                container_options=ENCRYPTION | {"movflags": flags})  # fmt: skip
    for read in (probe, length_s):
        with pytest.raises(VideoError, match=r"video\.mp4 is encrypted.*decrypt it"):
            read(path)


def test_a_stream_with_the_id_of_a_key_is_encrypted(tmp_path: Path) -> None:
    """FFmpeg reports encryption in Matroska that way."""
    path = write(tmp_path / "video.nut", [MAIN], {"enc_key_id": "AAAA"})
    with pytest.raises(VideoError, match="is encrypted"):
        probe(path)


@pytest.mark.parametrize(
    ("guid", "fields"),
    [
        ("fbb3112223bdd211b4b700a0c955fc6e", (b"secret", b"DRM\0", b"key\0", b"url\0")),
        ("14e68a292226174cb935dae07ee9289c", (b"some XML",)),
    ],
    ids=["content", "extended content"],
)
def test_encrypted_asf_is_refused(
    guid: str, fields: tuple[bytes, ...], film: Film, tmp_path: Path
) -> None:
    """The header has an object of either kind of encryption."""
    path = film(tmp_path / "video.wmv", [n / 25 for n in range(20)], codec="wmv2", ticks=25)
    assert length_s(path) == pytest.approx(0.8)
    content = bytearray(path.read_bytes())
    payload = b"".join(struct.pack("<I", len(field)) + field for field in fields)
    added = bytes.fromhex(guid) + struct.pack("<Q", 24 + len(payload)) + payload
    size, count = struct.unpack_from("<QI", content, 16)
    struct.pack_into("<QI", content, 16, size + len(added), count + 1)
    path.write_bytes(content[:30] + added + content[30:])
    with pytest.raises(VideoError, match=r"video\.wmv is encrypted"):
        probe(path)


@pytest.mark.parametrize("suffix", ["ts", "m2ts"])
def test_scrambled_transport_streams_are_refused(film: Film, tmp_path: Path, suffix: str) -> None:
    """Only the packets of the video count, in files with and without time codes."""
    path = film(tmp_path / f"video.{suffix}", [n / 25 for n in range(20)], sound_s=0.8)
    clear, size = bytearray(path.read_bytes()), 192 if suffix == "m2ts" else 188
    with av.open(str(path)) as container:
        pids = {stream.type: stream.id for stream in container.streams}
    for kind, is_refused in (("audio", False), ("video", True)):
        changed = bytearray(clear)
        for at in range(size - 188, len(changed), size):
            assert changed[at] == SYNC
            if (changed[at + 1] & 0x1F) << 8 | changed[at + 2] == pids[kind]:
                changed[at + 3] |= 0x80
        path.write_bytes(changed)
        if is_refused:
            with pytest.raises(VideoError, match="is encrypted"):
                probe(path)
        else:
            assert probe(path).width == 64


def test_reference_file_with_encryption_is_refused(shared: Callable[[str], Path]) -> None:
    """Its scheme is cbcs."""
    with pytest.raises(VideoError, match="is encrypted"):
        probe(shared("data/cases/video/encrypted_cbcs.mp4"))


def test_other_containers_are_named_with_the_list(tmp_path: Path, film: Film) -> None:
    """A container that is recognized, but not allowed."""
    path = film(tmp_path / "video.swf", [0, 0.04], codec="flv", ticks=25)
    level = av.logging.get_level()
    with pytest.raises(VideoError, match=r"its container format is swf; expected one of apng, asf"):
        probe(path)
    assert level == av.logging.get_level()


@pytest.mark.parametrize("name", ["dahua.dav", "ipcam.mjpeg", "anim.apng"])
def test_reference_files_of_cameras_are_read(shared: Callable[[str], Path], name: str) -> None:
    """Their containers are in the list."""
    assert length_s(shared(f"data/cases/video/{name}")) >= 2.0


def test_allowed_formats_exist_in_ffmpeg() -> None:
    """A name with a slip would forbid a format in silence."""
    known = {name for names in av.formats_available for name in names.split(",")}
    assert set(FORMATS.split(",")) <= known


@pytest.mark.parametrize(("frames", "warns"), [(40, False), (80, True)])
def test_repeated_output_of_a_decoder_is_worth_a_warning(
    film: Film, tmp_path: Path, caplog: pytest.LogCaptureFixture, frames: int, warns: bool
) -> None:
    """Grey or green images from a decoder that fails look like that."""
    path = film(tmp_path / "video.mkv", [number / 25 for number in range(frames)],
                codec="ffv1", still=True)  # fmt: skip
    list(read_snippets(path, rate_fps=25, snippet_frames=4, short_side=48))
    assert warns == (f"video.mkv: {frames - 1} of {frames} frames equal the frame" in caplog.text)


def test_one_frame_that_is_shown_for_long_is_no_repetition(
    film: Film, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Slides are coded once."""
    path = film(tmp_path / "video.mkv", [0, 20, 40, 60])
    list(read_snippets(path, rate_fps=25, snippet_frames=4, short_side=48))
    assert "equal the frame" not in caplog.text

"""Decoding of the coded frames of a video file.

FFmpeg may open one local file and nothing else. Other protocols are forbidden, and so are formats
that name further files: playlists, concatenations, image sequences, session descriptions.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from features.video.limits import VideoLimits
from features.video.transport_stream import is_scrambled
from model.errors import VideoError

_log = logging.getLogger(__name__)

FORMATS = (
    "apng,asf,avi,dhav,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,"
    "mpjpeg,mxf,nut,obu,ogg,rm,wtv,yuv4mpegpipe"
)
"""Allowed formats by their names in FFmpeg; none of them opens a second file."""


class DamagedVideoError(VideoError):
    """Damage was met where none is accepted; `decode` without `strict` reads past it."""


@contextmanager
def open_video(
    path: Path, *, limits: VideoLimits, threads: int, strict: bool = False
) -> Iterator[VideoStream]:
    """Opens the video stream of a local file, ready to decode, and closes the file at the end.

    Args:
        path: a file; a path that looks like a URL is also a file.
        limits: limits; frames with too many pixels are refused before memory is allocated.
        threads: decoder threads; 0 for one on each core.
        strict: whether damage in a frame is an error of the decoder, not concealed.

    Raises:
        VideoError: there is no such file, the format is not allowed, there is no video stream or
            no decoder for it, it is encrypted, or the frames exceed the limit.
    """
    with _open_container(path, limits) as container:
        stream = _video_stream(container, path.name)
        if _is_encrypted(container, stream, path):
            raise _encrypted(stream)
        codec = stream.codec_context
        if codec.width * codec.height > limits.max_frame_pixels:
            raise VideoError(
                f"{path.name} has frames of {codec.width} x {codec.height} pixels; expected at "
                f"most {limits.max_frame_pixels} pixels"
            )
        # Later frames may be larger than the header claims.
        codec.options = _pixel_limit(limits) | ({"err_detect": "explode"} if strict else {})
        codec.thread_type = "AUTO" if codec.name in _FRAME_THREADED else "SLICE"
        codec.thread_count = threads
        yield stream


def decode(stream: VideoStream, *, strict: bool = False) -> Iterator[VideoFrame]:
    """Yields the frames from the current position of the file, in presentation order.

    Damaged packets are skipped with a warning. If the file is broken, decoding ends there.

    Raises:
        VideoError: the stream is encrypted.
        DamagedVideoError: `strict` is given, and a packet is damaged or the file is broken.
    """
    damaged = 0
    name = Path(stream.container.name).name
    for packet in _packets(stream, strict):
        try:
            yield from stream.decode(packet)
        except av.FFmpegError as error:
            if strict:
                raise DamagedVideoError(f"{name} has a damaged packet: {error.strerror}") from error
            damaged += 1
    if damaged:
        _log.warning("%s: skipped %d damaged packets", name, damaged)


def _packets(stream: VideoStream, strict: bool) -> Iterator["av.Packet[VideoStream] | None"]:
    """Yields the packets of the stream, then None to flush the last frames."""
    assert isinstance(stream.container, InputContainer)
    try:
        for packet in stream.container.demux(stream):
            if packet.has_sidedata("encryption_info"):  # perhaps only after a clear beginning
                raise _encrypted(stream)
            if packet.size:
                yield packet
    except (av.FFmpegError, IndexError) as error:  # IndexError: a stream that appeared late
        name = Path(stream.container.name).name
        if strict:
            raise DamagedVideoError(f"{name} is broken: {error}") from error
        _log.warning("%s: the file is broken and was read up to that point: %s", name, error)
    yield None


def _open_container(path: Path, limits: VideoLimits) -> InputContainer:
    if not path.is_file():
        raise VideoError(f"there is no video file {path.name}")
    rules = {
        "protocol_whitelist": "file",
        "format_whitelist": FORMATS,
        "correct_ts_overflow": "0",  # it takes one wrong stamp for a clock that began again
    }
    url = f"file:{path.absolute()}"
    try:
        return av.open(
            url,
            options={**rules, **_pixel_limit(limits)},
            metadata_errors="ignore",  # titles are not used and may have any encoding
        )
    except av.FFmpegError as error:
        reason = _forbidden_format(url, rules) or error.strerror
    except UnicodeError:
        reason = "the path is not valid text"
    raise VideoError(f"{path.name} is not a video that can be read: {reason}")


def _forbidden_format(url: str, rules: dict[str, str]) -> str | None:
    """Returns which format is not allowed, which FFmpeg reports in its log only."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as lines, suppress(av.FFmpegError):
            av.open(url, options=rules, metadata_errors="ignore").close()
    finally:
        av.logging.set_level(level)
    for _, source, text in lines:
        if text.startswith("Format not on whitelist"):
            return f"its container format is {source}; expected one of {FORMATS.replace(',', ', ')}"
    return None


def _is_encrypted(container: InputContainer, stream: VideoStream, path: Path) -> bool:
    """Returns whether the file says that its frames are encrypted; MP4 says so in its packets."""
    is_matroska_or_asf = "enc_key_id" in stream.metadata or _ASF_KEYS & container.metadata.keys()
    is_transport_stream = container.format.name == "mpegts"
    return bool(is_matroska_or_asf or (is_transport_stream and is_scrambled(path, stream.id)))


def _encrypted(stream: VideoStream) -> VideoError:
    name = Path(stream.container.name).name
    return VideoError(f"{name} is encrypted; expected a video without encryption, so decrypt it")


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    """Returns the video stream that a player shows, which need not be the first one.

    Covers, still images and previews do not count if there is a moving or a larger stream.
    """
    shown = [stream for stream in container.streams.video if not stream.disposition & _STILLS]
    decodable = [stream for stream in shown if stream.codec_context is not None]
    if decodable:
        return max(decodable, key=_rank)
    if shown:
        raise VideoError(f"{name} has a video stream without a decoder")
    kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
    raise VideoError(f"{name} has no video stream; it contains {kinds}")


def _rank(stream: VideoStream) -> tuple[bool, bool, int, int]:
    codec = stream.codec_context
    moves = stream.frames != 1 and codec.name not in _IMAGE_CODECS
    is_default = bool(stream.disposition & Disposition.default)
    return moves, is_default, codec.width * codec.height, -stream.index


def _pixel_limit(limits: VideoLimits) -> dict[str, str]:
    return {"max_pixels": str(limits.max_frame_pixels)}


_ASF_KEYS = {"ASF_Protection_Type", "encryption"}
"""Names under which FFmpeg reports the two kinds of encryption of ASF (WMV)."""
_STILLS = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
"""Dispositions of streams that are not videos."""
_IMAGE_CODECS = {"mjpeg", "png", "bmp", "webp", "gif"}
"""Codecs of still images. A stream with one of them is a video if there is no other stream."""
_FRAME_THREADED = {"h264", "mpeg4", "vp9"}
"""Decoders that may decode several frames in parallel; others split single frames at most. The
decoder of HEVC hangs on some damaged files if it decodes frames in parallel."""

"""A video file's frames, as they were coded.

FFmpeg is given one local file and may open nothing else: no other protocol, and no format that
names further files (playlists, concatenations, image sequences, session descriptions).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from model.errors import VideoError

_log = logging.getLogger(__name__)

FORMATS = (
    "asf,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,"
    "rm,wtv,yuv4mpegpipe"
)
"""FFmpeg's names of the formats that are read; each keeps to the one file that it is given."""


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """How large a video may be. What is decoded counts, not what a header claims."""

    max_frame_pixels: int = 4096 * 4096
    """Pixels of one frame, as it was coded; 8K has twice as many."""
    max_duration_s: float = 12 * 3600.0
    """Seconds from the file's start to its last frame."""
    max_frames: int = 3_000_000
    """Frames, as they were coded: 12 hours of 60 a second, and some more."""


@contextmanager
def open_video(path: Path, *, limits: VideoLimits, threads: int) -> Iterator[VideoStream]:
    """Gives the video stream of a local file, ready to decode; closes the file in the end.

    Args:
        path: any file; it is taken as a file even if it is named like an address.
        limits: frames with more pixels than they allow are refused before they take memory.
        threads: that decode; 0 for as many as there are cores.

    Raises:
        VideoError: not a file, a format that is not read, no video stream, no decoder for it, or
            frames beyond the limit.
    """
    with _open_container(path, limits) as container:
        stream = _video_stream(container, path.name)
        codec = stream.codec_context
        if codec.width * codec.height > limits.max_frame_pixels:
            raise VideoError(
                f"{path.name} has frames of {codec.width} x {codec.height} pixels; expected at "
                f"most {limits.max_frame_pixels} pixels"
            )
        codec.options = _pixel_limit(limits)  # a later frame may be larger than the header says
        codec.thread_type = "AUTO" if codec.name in _FRAME_THREADED else "SLICE"
        codec.thread_count = threads
        yield stream


def decode(stream: VideoStream) -> Iterator[VideoFrame]:
    """Yields the frames from where the file stands, in the order in which they are shown.

    What is damaged is left out with a warning: single frames, or all from where the file breaks.
    """
    damaged = 0
    for packet in _packets(stream):
        try:
            yield from stream.decode(packet)
        except av.FFmpegError:
            damaged += 1
    if damaged:
        name = Path(stream.container.name).name
        _log.warning("%s: %d damaged packets were left out", name, damaged)


def _packets(stream: VideoStream) -> Iterator["av.Packet[VideoStream] | None"]:
    """Yields the stream's packets, and None to have the last frames out."""
    assert isinstance(stream.container, InputContainer)
    try:
        for packet in stream.container.demux(stream):
            if packet.size:
                yield packet
    except (av.FFmpegError, IndexError) as error:  # PyAV's flush may meet a stream that came late
        name = Path(stream.container.name).name
        _log.warning("%s: broken, read up to there: %s", name, error)
    yield None


def _open_container(path: Path, limits: VideoLimits) -> InputContainer:
    if not path.is_file():
        raise VideoError(f"no video file {path.name}")
    rules = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        return av.open(
            f"file:{path.absolute()}",
            options={**rules, **_pixel_limit(limits)},
            metadata_errors="ignore",  # titles in whatever encoding are of no interest
        )
    except av.FFmpegError as error:
        reason = error.strerror
    except UnicodeError:
        reason = "its path is not valid text"
    raise VideoError(f"{path.name} is not a video that can be read: {reason}")


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    """Returns the first stream of moving pictures; a cover picture is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise VideoError(f"{name} is coded in a way for which there is no decoder")
            return stream
    kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
    raise VideoError(f"{name} has no video stream; it holds {kinds}")


def _pixel_limit(limits: VideoLimits) -> dict[str, str]:
    return {"max_pixels": str(limits.max_frame_pixels)}


_FRAME_THREADED = {"h264", "mpeg4", "vp9"}
"""Decoders that may take several frames at once; others split single frames at most. That of HEVC
waits for ever on some damaged files otherwise."""

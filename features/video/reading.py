"""Video files in, snippets of frames at the model's rate out.

Any container and codec that FFmpeg reads, one local file at a time; few frames are in memory at
once, however long the video is.

Axes: F frames, H height, W width, C the channels red, green and blue.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from features.video.decoding import VideoLimits, decode, open_video
from features.video.frame_pixels import FrameScaler, shape_of
from features.video.frame_times import at_rate, claimed_s, frames_from, origin_s, timed_frames
from model.errors import VideoError

DEFAULT_LIMITS = VideoLimits()


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file claims of its video, and what its first frame shows of it."""

    duration_s: float | None
    """Seconds, as the header claims them; None where it does not say."""
    width: int
    """Pixels across as a player shows it: turned, with square pixels."""
    height: int
    """Pixels down, likewise."""
    fps: float | None
    """Frames a second on average, as the header claims them."""
    codec: str
    """FFmpeg's name of the codec."""


def probe(path: Path, *, limits: VideoLimits = DEFAULT_LIMITS) -> VideoInfo:
    """Returns what a video is, having decoded its first frame.

    Raises:
        VideoError: not a video that can be read, or its frames are larger than the limits allow.
    """
    with open_video(path, limits=limits, threads=1) as stream:
        width, height = shape_of(_first_frame(stream), stream.sample_aspect_ratio).shown
        fps = stream.average_rate
        codec = stream.codec_context.name
        return VideoInfo(claimed_s(stream), width, height, float(fps) if fps else None, codec)


def read_snippets(
    path: Path,
    *,
    rate_fps: float,
    snippet_frames: int,
    short_side: int,
    first_snippet: int = 0,
    limits: VideoLimits = DEFAULT_LIMITS,
    threads: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Yields the snippets of a video, RGB (snippet_frames + 1, H, W, 3).

    Each holds its frames and the first one of the next snippet; the last frame is repeated where
    the video ends. A rest of less than half a snippet is dropped, unless it is all there is. So a
    video has max(1, round(seconds * rate_fps / snippet_frames)) snippets, and snippet t starts at
    t * snippet_frames / rate_fps seconds.

    Args:
        path: a local file.
        rate_fps: frames a second; the frame that is on the screen at each time is taken.
        snippet_frames: frames from the start of a snippet to the start of the next.
        short_side: pixels of the shorter side to which frames are scaled.
        first_snippet: where to start; what comes is the same as when starting from 0.
        limits: on what is decoded.
        threads: that decode; 0 for as many as there are cores.

    Raises:
        VideoError: not a video that can be read, or it is larger than the limits allow. The latter
            may come after some snippets.
    """
    with open_video(path, limits=limits, threads=1) as stream:
        first_frame = _first_frame(stream)
        scaler = FrameScaler(shape_of(first_frame, stream.sample_aspect_ratio), short_side)
        start_s = origin_s(stream, first_frame)
    first = first_snippet * snippet_frames
    with ExitStack() as files:
        stream = files.enter_context(open_video(path, limits=limits, threads=threads))
        coded = frames_from(stream, start_s + first / rate_fps) if first else decode(stream)
        if coded is None:
            stream = files.enter_context(open_video(path, limits=limits, threads=threads))
            coded = decode(stream)
        timed = timed_frames(stream, coded, origin_s=start_s, limits=limits)
        pictures = _pictures(at_rate(timed, rate_fps, first=first), scaler)
        yield from _snippets(pictures, snippet_frames, whole=first == 0)


def _first_frame(stream: VideoStream) -> VideoFrame:
    for frame in decode(stream):
        return frame
    name = Path(stream.container.name).name
    raise VideoError(f"{name} has a video stream, but no frame in it that can be decoded")


def _pictures(frames: Iterable[VideoFrame], scaler: FrameScaler) -> Iterator[NDArray[np.uint8]]:
    """Yields the pictures of frames; one that is shown for long is scaled once."""
    last, picture_HWC = None, None
    for frame in frames:
        if picture_HWC is None or frame is not last:
            last, picture_HWC = frame, scaler(frame)
        yield picture_HWC


def _snippets(
    pictures: Iterable[NDArray[np.uint8]], snippet_frames: int, *, whole: bool
) -> Iterator[NDArray[np.uint8]]:
    """Yields pictures in groups that share their border; see `read_snippets`.

    Args:
        pictures: (H, W, 3) each.
        snippet_frames: pictures a group, without the border.
        whole: whether these are all pictures of the video, of which something has to come.
    """
    group: list[NDArray[np.uint8]] = []
    for picture_HWC in pictures:
        group.append(picture_HWC)
        if len(group) > snippet_frames:
            yield np.stack(group)
            group, whole = group[-1:], False
    if group and (whole or 2 * len(group) >= snippet_frames):
        yield np.stack(group + group[-1:] * (snippet_frames + 1 - len(group)))

"""Reading of snippets: from a video file to groups of frames at a fixed rate.

Any container and codec of FFmpeg is read, from one local file at a time. Few frames are in memory
at once, whatever the length of the video.

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
from features.video.frame_times import (
    at_rate,
    claimed_s,
    first_frame,
    frames_from,
    origin_s,
    timed_frames,
)
from model.errors import VideoError

DEFAULT_LIMITS = VideoLimits()


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Properties of a video from its header and its first frame."""

    duration_s: float | None
    """Duration in seconds according to the header; None if it has none."""
    width: int
    """Width of the displayed image in square pixels, after rotation."""
    height: int
    """Height of the displayed image in square pixels, after rotation."""
    fps: float | None
    """Average frames a second according to the header; None if it has none."""
    codec: str
    """Name of the codec in FFmpeg."""


def probe(path: Path, *, limits: VideoLimits = DEFAULT_LIMITS) -> VideoInfo:
    """Returns the properties of a video; decodes its first frame.

    Raises:
        VideoError: the video is not readable, or its frames exceed the limits.
    """
    with open_video(path, limits=limits, threads=1) as stream:
        _, frame = _first_frame(stream)
        width, height = shape_of(frame, stream.sample_aspect_ratio).shown
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

    Each snippet contains its frames and the first frame of the next snippet. At the end of the
    video, the last frame is repeated. A remainder of less than half a snippet is dropped, unless it
    is the whole video. A video therefore has max(1, round(seconds * rate_fps / snippet_frames))
    snippets, and snippet t starts at t * snippet_frames / rate_fps seconds.

    Args:
        path: a local file.
        rate_fps: frames a second. Each is the frame that a player shows at its time.
        snippet_frames: frames from the start of a snippet to the start of the next.
        short_side: pixels of the shorter side of the scaled frames.
        first_snippet: index of the first snippet; the snippets are the same as when read from 0.
        limits: limits on decoding.
        threads: decoder threads; 0 for one on each core.

    Raises:
        VideoError: the video is not readable, or exceeds the limits. The latter may be raised
            after some snippets.
    """
    with open_video(path, limits=limits, threads=1) as stream:
        first_s, frame = _first_frame(stream)
        scaler = FrameScaler(shape_of(frame, stream.sample_aspect_ratio), short_side)
        start_s = origin_s(stream, first_s)
    first = first_snippet * snippet_frames
    with ExitStack() as files:
        stream = files.enter_context(open_video(path, limits=limits, threads=threads))
        coded = frames_from(stream, start_s + first / rate_fps) if first else decode(stream)
        if coded is None:
            stream = files.enter_context(open_video(path, limits=limits, threads=threads))
            coded = decode(stream)
        timed = timed_frames(stream, coded, origin_s=start_s, limits=limits)
        images = _images(at_rate(timed, rate_fps, first=first), scaler)
        yield from _snippets(images, snippet_frames, whole=first == 0)


def _first_frame(stream: VideoStream) -> tuple[float, VideoFrame]:
    first = first_frame(stream)
    if first is None:
        name = Path(stream.container.name).name
        raise VideoError(f"{name} has a video stream without a frame that can be decoded")
    return first


def _images(frames: Iterable[VideoFrame], scaler: FrameScaler) -> Iterator[NDArray[np.uint8]]:
    """Yields the images of frames; a frame that is repeated is scaled once."""
    last, image_HWC = None, None
    for frame in frames:
        if image_HWC is None or frame is not last:
            last, image_HWC = frame, scaler(frame)
        yield image_HWC


def _snippets(
    images: Iterable[NDArray[np.uint8]], snippet_frames: int, *, whole: bool
) -> Iterator[NDArray[np.uint8]]:
    """Yields groups of images, in which the last one is also the first one of the next group.

    For snippets of 2 frames, the images 0 to 4 are grouped to 0 1 2, 2 3 4 and 4 4 4.

    Args:
        images: images (H, W, 3).
        snippet_frames: images of a group, without the last one.
        whole: whether these are all images of the video, so that at least one group is needed.
    """
    group: list[NDArray[np.uint8]] = []
    for image_HWC in images:
        group.append(image_HWC)
        if len(group) > snippet_frames:
            yield np.stack(group)
            group, whole = group[-1:], False
    if group and (whole or 2 * len(group) >= snippet_frames):
        yield np.stack(group + group[-1:] * (snippet_frames + 1 - len(group)))

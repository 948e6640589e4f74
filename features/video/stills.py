"""Single images of a video: the frame that a player shows at a time.

Axes: H height, W width, C the channels red, green and blue.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from features.video.decoding import DamagedVideoError, decode, open_video
from features.video.frame_pixels import FrameScaler, Shape, shape_of
from features.video.frame_times import (
    claimed_s,
    first_frame,
    frame_at,
    frames_from,
    origin_s,
    timed_frames,
)
from features.video.limits import VideoLimits
from model.errors import VideoError


def read_still(path: Path, time_s: float, *, height: int, limits: VideoLimits) -> NDArray[np.uint8]:
    """Returns the image on screen at a time, RGB (H, W, 3), the right way up.

    Args:
        path: a local file.
        time_s: time from the start of the file; after the end, the last image is returned.
        height: height of the image; its width follows from the shape of the video.
        limits: limits on decoding.

    Raises:
        VideoError: the video is not readable, or exceeds the limits.
    """
    with open_video(path, limits=limits, threads=1) as stream:
        first = first_frame(stream)
        if first is None:
            raise VideoError(f"{path.name} has a video stream without a frame")
        first_s, frame = first
        shape = shape_of(frame, stream.sample_aspect_ratio)
        start_s, length_s = origin_s(stream, first_s), claimed_s(stream)
    if length_s is not None:
        time_s = min(time_s, max(0.0, length_s))
    shown = None
    with suppress(DamagedVideoError):
        shown = _shown(path, start_s, time_s, limits, seek=True)
    shown = shown or _shown(path, start_s, time_s, limits, seek=False) or frame
    return FrameScaler(shape, _short_side(shape, height))(shown)


def _shown(
    path: Path, start_s: float, time_s: float, limits: VideoLimits, *, seek: bool
) -> VideoFrame | None:
    """Returns the frame at a time, found by the index of the file or by reading from its start.

    Raises:
        DamagedVideoError: `seek` is given and the video is damaged there.
    """
    with open_video(path, limits=limits, threads=1, strict=seek) as stream:
        coded = frames_from(stream, start_s + time_s) if seek else decode(stream)
        timed = timed_frames(stream, coded or (), origin_s=start_s, limits=limits)
        return frame_at(timed, time_s)


def _short_side(shape: Shape, height: int) -> int:
    """Returns the shorter side of an image with a height."""
    shown_width, shown_height = shape.shown
    return max(1, round(height * min(1.0, shown_width / shown_height)))

"""Presentation times of frames, and the frame that is shown at a given time.

A time stamp is a time as written in the file. A time counts from the start of the file, as in a
player.
"""

import heapq
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, dropwhile
from pathlib import Path
from typing import TypeAlias

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from features.video.decoding import VideoLimits, decode
from model.errors import VideoError

_log = logging.getLogger(__name__)

ROUNDING_S = 0.002
"""Times closer than this are equal, because Matroska, for example, rounds to milliseconds."""

_Stamped: TypeAlias = tuple[float, VideoFrame]


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A frame and its presentation time."""

    start_s: float
    """Start of presentation, never before that of an earlier frame."""
    end_s: float
    """End of presentation if no other frame follows, at most one second after the start."""
    frame: VideoFrame
    """The coded frame."""


def origin_s(stream: VideoStream, first_frame: VideoFrame) -> float:
    """Returns the time stamp at which the clock of a player starts.

    This is the start of the file, which may be before the first frame if sound starts earlier. A
    short gap, however, is the delay of a codec and does not count.
    """
    first_s = _stamp_s(stream, first_frame) or 0.0
    start = _container(stream).start_time
    file_s = first_s if start is None else max(0.0, start / av.time_base)
    return file_s if first_s - file_s > _CODEC_DELAY_S else first_s


def claimed_s(stream: VideoStream) -> float | None:
    """Returns the duration in seconds according to the header; None if it has none."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    duration = _container(stream).duration
    return None if duration is None else duration / av.time_base


def frames_from(stream: VideoStream, stamp_s: float) -> Iterator[VideoFrame] | None:
    """Returns the frames from a key frame at or before a time stamp.

    Formats without a reliable index are read from their start.

    Args:
        stream: a stream of a file from which nothing has been read yet.
        stamp_s: the time stamp. The frame shown at it and all later frames are returned.

    Returns:
        The frames; None if the index leads to no such key frame. The position of the stream is
        then undefined, and the file must be opened again.
    """
    if _container(stream).format.name not in _INDEXED:
        return decode(stream)
    for margin_s in _MARGINS_S:
        frames = _after_seek(stream, stamp_s - margin_s)
        first = next(frames, None)
        first_s = None if first is None else _stamp_s(stream, first)
        if first is not None and first_s is not None and first_s <= stamp_s:
            return chain([first], frames)
    return None


def timed_frames(
    stream: VideoStream, frames: Iterable[VideoFrame], *, origin_s: float, limits: VideoLimits
) -> Iterator[TimedFrame]:
    """Yields frames with their times.

    Args:
        stream: the stream of the frames.
        frames: frames in presentation order.
        origin_s: the time stamp of time 0.
        limits: limits on the number of frames and on their times.

    Raises:
        VideoError: the video exceeds the limits.
    """
    name = Path(_container(stream).name).name
    time_s = 0.0
    for count, (stamp_s, frame) in enumerate(_ascending(stream, frames)):
        time_s = stamp_s - origin_s
        if count == limits.max_frames:
            raise VideoError(f"{name} has more than {limits.max_frames} frames")
        if time_s > limits.max_duration_s:
            raise VideoError(f"{name} lasts longer than {limits.max_duration_s:g} s")
        yield TimedFrame(time_s, time_s + _duration_s(stream, frame), frame)
    if (stated_s := claimed_s(stream) or 0.0) > time_s + _CUT_SHORT_S:
        _log.warning(
            "%s: the last frame is at %.1f s, but the header claims %.1f s", name, time_s, stated_s
        )


def at_rate(
    frames: Iterable[TimedFrame], rate_fps: float, *, first: int = 0
) -> Iterator[VideoFrame]:
    """Yields the frame that is shown at each time k / rate_fps, for k = `first` and on.

    A frame is shown until the next one starts. Before the first frame, the first frame is used. A
    video with a frame yields at least one. At 2 frames a second, frames a from 0 s, b from 0.6 s
    and c from 0.9 s to 1.9 s give a at 0 s, a at 0.5 s, c at 1 s and c at 1.5 s.
    """
    position, shown, end_s = first, None, 0.0
    for timed in frames:
        while position / rate_fps < timed.start_s - ROUNDING_S:
            yield shown or timed.frame
            position += 1
        shown, end_s = timed.frame, timed.end_s
    while shown is not None and (position == 0 or position / rate_fps < end_s - ROUNDING_S):
        yield shown
        position += 1


def _after_seek(stream: VideoStream, stamp_s: float) -> Iterator[VideoFrame]:
    """Yields frames from the key frame to which the index of the file leads.

    Frames before that key frame are skipped: they depend on earlier ones and may be damaged.
    """
    assert stream.time_base is not None
    try:
        _container(stream).seek(int(stamp_s / stream.time_base), stream=stream)
    except av.FFmpegError:
        return iter(())
    return dropwhile(lambda frame: not frame.key_frame, decode(stream))


def _ascending(stream: VideoStream, frames: Iterable[VideoFrame]) -> Iterator[_Stamped]:
    """Yields frames with time stamps that never decrease.

    Frames are in presentation order, but some files (AVI with packed B-frames) exchange the time
    stamps of neighbours. Time stamps are therefore sorted over a few frames.
    """
    waiting: deque[VideoFrame] = deque()
    stamps_s: list[float] = []
    for stamp_s, frame in _without_jumps(stream, frames):
        waiting.append(frame)
        heapq.heappush(stamps_s, stamp_s)
        if len(waiting) > _SORTED_FRAMES:
            yield heapq.heappop(stamps_s), waiting.popleft()
    while waiting:
        yield heapq.heappop(stamps_s), waiting.popleft()


def _without_jumps(stream: VideoStream, frames: Iterable[VideoFrame]) -> Iterator[_Stamped]:
    """Yields frames with time stamps.

    If the clock jumps back (joined transport streams), it continues from the previous frame. A
    frame without a time stamp is one tick after the previous frame.
    """
    offset_s, next_s, tick_s = 0.0, 0.0, _tick_s(stream)
    for frame in frames:
        own_s = _stamp_s(stream, frame)
        stamp_s = next_s if own_s is None else own_s + offset_s
        if stamp_s < next_s - _JUMP_S:
            offset_s += next_s - stamp_s
            stamp_s = next_s
        next_s = stamp_s + tick_s
        yield stamp_s, frame


def _duration_s(stream: VideoStream, frame: VideoFrame) -> float:
    stated_s = float((frame.duration or 0) * (stream.time_base or 0))
    return min(stated_s, 1.0) if stated_s > 0 else _tick_s(stream)


def _stamp_s(stream: VideoStream, frame: VideoFrame) -> float | None:
    """Returns the time stamp of a frame; PyAV omits the time base of the last frames."""
    if frame.pts is None or stream.time_base is None:
        return None
    return float(frame.pts * stream.time_base)


def _tick_s(stream: VideoStream) -> float:
    rate = stream.average_rate or stream.guessed_rate
    return float(1 / rate) if rate else 0.04


def _container(stream: VideoStream) -> InputContainer:
    assert isinstance(stream.container, InputContainer)
    return stream.container


_INDEXED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""Formats whose time stamps are right after a seek; the others are read from the start."""
_MARGINS_S = (0.0, 2.0, 20.0)
"""Seconds before the time stamp at which three attempts look for a key frame."""
_CODEC_DELAY_S = 0.2
"""A longer gap between the start of the file and the first frame is not the delay of a codec."""
_SORTED_FRAMES = 4
"""Number of frames over which time stamps are sorted."""
_CUT_SHORT_S = 2.0
"""A video that ends this much before its header claims gets a warning."""
_JUMP_S = 1.0
"""A clock that goes back by more than this has jumped."""

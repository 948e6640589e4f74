"""When the frames of a video are shown, and which one is on the screen at a given time.

A stamp is a time as the file has it; a time counts from the start of the file, as in a player.
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
"""Times closer than this are the same: Matroska, for one, rounds to milliseconds."""

_Stamped: TypeAlias = tuple[float, VideoFrame]


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A frame and when it is shown."""

    start_s: float
    """From when on; never before an earlier frame's."""
    end_s: float
    """Until when, if no other frame comes; at most a second on, whatever the file says."""
    frame: VideoFrame
    """As it was coded."""


def origin_s(stream: VideoStream, first_frame: VideoFrame) -> float:
    """Returns the stamp at which a player's clock starts.

    That is where the file starts, with its sound perhaps; until the first frame comes there is
    nothing to see. A moment's wait is no pause but the delay of a codec, and does not count.
    """
    first_s = _stamp_s(stream, first_frame) or 0.0
    start = _container(stream).start_time
    file_s = first_s if start is None else max(0.0, start / av.time_base)
    return file_s if first_s - file_s > _CODEC_DELAY_S else first_s


def claimed_s(stream: VideoStream) -> float | None:
    """Returns the seconds that the header claims; None where it does not say."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    duration = _container(stream).duration
    return None if duration is None else duration / av.time_base


def frames_from(stream: VideoStream, stamp_s: float) -> Iterator[VideoFrame] | None:
    """Returns frames from a key frame on that is shown at a stamp or before it.

    Formats without an index are read from their start.

    Args:
        stream: of a file from which nothing has been read yet.
        stamp_s: the frame that is on the screen then, and all after it, are among the frames.

    Returns:
        The frames; None where the index leads to no such key frame. The stream is then to be
        opened again: it stands anywhere.
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
        stream: that the frames are of.
        frames: in the order in which they are shown.
        origin_s: the stamp that is time 0.
        limits: on the number of frames and on their times.

    Raises:
        VideoError: the video goes beyond the limits.
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
            "%s: its last frame is at %.1f s, its header claims %.1f s", name, time_s, stated_s
        )


def at_rate(
    frames: Iterable[TimedFrame], rate_fps: float, *, first: int = 0
) -> Iterator[VideoFrame]:
    """Yields the frame that is on the screen at each time k / rate_fps, for k = `first` and on.

    A frame stays until the next one comes; before the first one, that one stands in. A video with
    a frame gives at least one, however short it is.
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
    """Yields frames from the key frame to which the file's index leads.

    Frames that come out before it lean on what precedes it, and may be damaged.
    """
    assert stream.time_base is not None
    try:
        _container(stream).seek(int(stamp_s / stream.time_base), stream=stream)
    except av.FFmpegError:
        return iter(())
    return dropwhile(lambda frame: not frame.key_frame, decode(stream))


def _ascending(stream: VideoStream, frames: Iterable[VideoFrame]) -> Iterator[_Stamped]:
    """Yields frames with stamps that never descend.

    Frames come in the order in which they are shown, but some files (AVI with packed B-frames)
    have their neighbours' stamps in another order: stamps are sorted over a few frames.
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
    """Yields frames with stamps.

    A clock that jumps back (joined transport streams) goes on from where it was; a frame without
    a stamp comes one tick after the frame before it.
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
    """Returns a frame's stamp; PyAV leaves its time base out of the last frames of a stream."""
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
"""Formats whose stamps are right wherever reading starts; the others are read from the start."""
_MARGINS_S = (0.0, 2.0, 20.0)
"""How much further back a second and third attempt look for a key frame."""
_CODEC_DELAY_S = 0.2
_SORTED_FRAMES = 4
_CUT_SHORT_S = 2.0
_JUMP_S = 1.0

"""Presentation times of frames, and the frame that is shown at a given time.

A time stamp is a time as written in the file. A time counts from the start of the file, as in a
player.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, dropwhile
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from features.video.decoding import decode
from features.video.limits import VideoLimits
from features.video.stamps import ascending
from model.errors import VideoError

_log = logging.getLogger(__name__)

ROUNDING_S = 0.002
"""Times closer than this are equal, because Matroska, for example, rounds to milliseconds."""


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A frame and its presentation time."""

    start_s: float
    """Start of presentation, never before that of an earlier frame."""
    end_s: float
    """End of presentation if no other frame follows. It is at most one second after the start,
    unless the header confirms that the video lasts longer."""
    frame: VideoFrame
    """The coded frame."""


def first_frame(stream: VideoStream) -> tuple[float, VideoFrame] | None:
    """Returns the first frame and its time stamp; None if no frame can be decoded."""
    return next(_stamped(stream, decode(stream)), None)


def origin_s(stream: VideoStream, first_s: float) -> float:
    """Returns the time stamp at which the clock of a player starts.

    This is the start of the file, which may be before the first frame if sound starts earlier. A
    short gap, however, is the delay of a codec and does not count.

    Args:
        stream: the stream.
        first_s: time stamp of its first frame.
    """
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

    Formats without a reliable index are read from their start. In other formats, the first frame
    is decoded before the seek, because only its packet may contain settings of the encoder on
    which decoding depends (H.264 4:4:4 by old x264, for example).

    Args:
        stream: a stream of a file from which nothing has been read yet.
        stamp_s: the time stamp. The frame shown at it and all later frames are returned.

    Returns:
        The frames; None if the index leads to no such key frame. The position of the stream is
        then undefined, and the file must be opened again.

    Raises:
        DamagedVideoError: a frame is damaged.
    """
    if not is_indexed(stream):
        return decode(stream)
    next(decode(stream, strict=True), None)
    for margin_s in SEEK_MARGINS_S:
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
        VideoError: the video exceeds the limits. In MP4, this is known before a frame is decoded.
    """
    name = Path(_container(stream).name).name
    too_long = VideoError(f"{name} lasts longer than {limits.max_duration_s:g} s; split it")
    stated_s = claimed_s(stream) or 0.0
    if _has_table(stream) and stated_s > limits.max_duration_s:
        raise too_long
    end_s = 0.0
    for count, (stamp_s, frame) in enumerate(_stamped(stream, frames)):
        time_s = stamp_s - origin_s
        if count == limits.max_frames:
            raise VideoError(f"{name} has more than {limits.max_frames} frames")
        if time_s > limits.max_duration_s:
            raise too_long
        end_s = time_s + _duration_s(stream, frame, longest_s=stated_s - time_s)
        yield TimedFrame(time_s, end_s, frame)
    if stated_s > end_s + _CUT_SHORT_S:
        _log.warning(
            "%s: the video ends at %.1f s, but the header claims %.1f s", name, end_s, stated_s
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


def frame_at(frames: Iterable[TimedFrame], time_s: float) -> VideoFrame | None:
    """Returns the frame that is shown at a time: the last that starts before it, or the first."""
    shown = None
    for timed in frames:
        if shown is not None and timed.start_s > time_s + ROUNDING_S:
            break
        shown = timed.frame
    return shown


def _after_seek(stream: VideoStream, stamp_s: float) -> Iterator[VideoFrame]:
    """Yields frames from the key frame to which the index of the file leads.

    Frames before that key frame are skipped: they depend on earlier ones and may be damaged.
    """
    assert stream.time_base is not None
    try:
        _container(stream).seek(int(stamp_s / stream.time_base), stream=stream)
    except av.FFmpegError:
        return iter(())
    return dropwhile(lambda frame: not frame.key_frame, decode(stream, strict=True))


def _stamped(
    stream: VideoStream, frames: Iterable[VideoFrame]
) -> Iterator[tuple[float, VideoFrame]]:
    """Yields frames with time stamps that never decrease."""
    start_s = float((stream.start_time or 0) * (stream.time_base or 0))
    # Other formats have no duration of their own: FFmpeg computes it from the last time stamp.
    end_s = start_s + (claimed_s(stream) or 0.0) if is_indexed(stream) else 0.0
    stamped = ((_stamp_s(stream, frame), frame) for frame in frames)
    return ascending(stamped, period_s=_period_s(stream), end_s=end_s)


def _duration_s(stream: VideoStream, frame: VideoFrame, *, longest_s: float) -> float:
    """Returns the duration of a frame according to the file, or the average one.

    A duration of more than a second counts in full if it is at most `longest_s`, the rest of the
    video according to the header.
    """
    stated_s = float((frame.duration or 0) * (stream.time_base or 0)) or _period_s(stream)
    return stated_s if stated_s <= longest_s + ROUNDING_S else min(stated_s, 1.0)


def _stamp_s(stream: VideoStream, frame: VideoFrame) -> float | None:
    """Returns the time stamp of a frame; PyAV omits the time base of the last frames."""
    if frame.pts is None or stream.time_base is None:
        return None
    return float(frame.pts * stream.time_base)


def _period_s(stream: VideoStream) -> float:
    """Returns the average seconds from one frame to the next according to the header."""
    rate = stream.average_rate or stream.guessed_rate
    return float(1 / rate) if rate else 0.04


def _has_table(stream: VideoStream) -> bool:
    """Returns whether the duration is the sum of a table of all frames, which MP4 has."""
    return _container(stream).format.name == _MP4 and stream.duration is not None


def is_indexed(stream: VideoStream) -> bool:
    """Returns whether the time stamps of a file are right after a seek."""
    return _container(stream).format.name in _INDEXED


def _container(stream: VideoStream) -> InputContainer:
    assert isinstance(stream.container, InputContainer)
    return stream.container


_MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
"""Name of the format of MP4 and MOV files."""
_INDEXED = {_MP4, "matroska,webm"}
"""Formats whose time stamps are right after a seek; the others are read from the start."""
SEEK_MARGINS_S = (0.0, 2.0, 20.0)
"""Seconds before the time stamp at which three attempts look for a key frame."""
_CODEC_DELAY_S = 0.2
"""A longer gap between the start of the file and the first frame is not the delay of a codec."""
_CUT_SHORT_S = 2.0
"""A video that ends this much before its header claims gets a warning."""

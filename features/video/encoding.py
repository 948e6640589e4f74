"""Encoding of a part of a video: exact clips, and copies in which something is drawn.

Axes: H height, W width, C the channels red, green and blue.
"""

import heapq
import logging
from collections.abc import Callable, Generator
from contextlib import closing
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from features.video.cut_source import CutSource
from features.video.decoding import DamagedVideoError, decode
from features.video.frame_pixels import FrameScaler
from features.video.frame_times import ROUNDING_S, frames_from, timed_frames
from model.errors import VideoError

_log = logging.getLogger(__name__)

Draw: TypeAlias = Callable[[NDArray[np.uint8], float], None]
"""Draws into the image (H, W, 3) that is shown from a time in seconds on."""

Timed: TypeAlias = Generator[tuple[float, VideoFrame | AudioFrame], None, None]
"""Frames or sounds with their times in seconds."""

_TICKS_PER_S = 90_000
_QUALITY = {"crf": "18", "preset": "veryfast"}
_DEFAULT_RATE_FPS = 25
_SOUND_RATES_HZ = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Sampling rates that AAC has; another rate becomes the first one."""


def encode_clip(
    source: CutSource,
    out: Path,
    start_s: float = 0.0,
    end_s: float = inf,
    *,
    draw: Draw | None = None,
) -> tuple[float, float]:
    """Writes the part of a video from start to end as an MP4 file with H.264 and AAC.

    The first frame is the one that is shown at the start. Frames keep their times, and are turned
    the right way up. Damaged frames are left out. Few frames are in memory at once.

    Args:
        source: the video.
        out: file to write, whose name may have any ending.
        start_s: start in seconds.
        end_s: end in seconds.
        draw: draws into each frame.

    Returns:
        The seconds at which the clip starts, and at which its last frame starts.

    Raises:
        VideoError: no frame can be decoded between start and end, or the video exceeds the limits.
    """
    start_s = max(0.0, start_s)
    try:
        last_s = _encode(source, out, start_s, end_s, draw)
    except av.FFmpegError as error:
        raise VideoError(f"{source.path.name} cannot be encoded: {error.strerror}") from error
    if last_s is None:
        raise VideoError(
            f"{source.path.name} has no frame that can be decoded between {start_s:g} s and "
            f"{end_s:g} s"
        )
    return start_s, last_s


def _encode(
    source: CutSource, out: Path, start_s: float, end_s: float, draw: Draw | None
) -> float | None:
    """Returns the time of the last frame that was written; None without a frame."""
    with (
        closing(_frames(source, start_s, end_s)) as frames,
        closing(_sounds(source, start_s, end_s)) as sounds,
        av.open(str(out), "w", "mp4") as clip,
    ):
        writer = _Writer(source, clip, start_s, draw)
        for time_s, item in heapq.merge(frames, sounds, key=lambda timed: timed[0]):
            writer.add(time_s, item)
        writer.close()
        return writer.last_s


class _Writer:
    """Encodes frames and sounds in order of their times."""

    def __init__(
        self, source: CutSource, clip: OutputContainer, start_s: float, draw: Draw | None
    ) -> None:
        self.last_s: float | None = None
        """Time of the last frame; None without a frame."""
        self._start_s, self._draw, self._clip = start_s, draw, clip
        self._scaler = FrameScaler(source.shape, min(source.shape.shown))
        self._last_tick = -1
        self._video = self._video_stream(source)
        self._sound = self._sound_stream(source)

    def add(self, time_s: float, item: VideoFrame | AudioFrame) -> None:
        """Encodes one frame or sound."""
        if isinstance(item, VideoFrame):
            self._add_frame(time_s, item)
        elif self._sound is not None:
            item.pts = round((time_s - self._start_s) * item.sample_rate)
            item.time_base = Fraction(1, item.sample_rate)
            self._clip.mux(self._sound.encode(item))

    def close(self) -> None:
        """Encodes what the encoders still hold."""
        if self.last_s is not None:
            self._clip.mux(self._video.encode())
            if self._sound is not None:
                self._clip.mux(self._sound.encode())

    def _add_frame(self, time_s: float, frame: VideoFrame) -> None:
        tick = round(max(0.0, time_s - self._start_s) * _TICKS_PER_S)
        if tick <= self._last_tick:  # a second frame at one time
            return
        self._last_tick, self.last_s = tick, time_s
        image_HWC = self._scaler(frame)
        # H.264 halves the resolution of colours, so the number of rows and columns is even.
        image_HWC = np.ascontiguousarray(
            image_HWC[: self._video.height, : self._video.width], dtype=np.uint8
        )
        if self._draw is not None:
            self._draw(image_HWC, time_s)
        coded = VideoFrame.from_ndarray(image_HWC, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709
        )
        coded.pts, coded.time_base = tick, Fraction(1, _TICKS_PER_S)
        self._clip.mux(self._video.encode(coded))

    def _video_stream(self, source: CutSource) -> VideoStream:
        rate = Fraction(source.frame_rate or _DEFAULT_RATE_FPS).limit_denominator(1001)
        stream = self._clip.add_stream("libx264", rate=rate, options=dict(_QUALITY))
        width, height = source.shape.scaled(min(source.shape.shown))
        stream.width, stream.height = width - width % 2, height - height % 2
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.time_base = Fraction(1, _TICKS_PER_S)
        codec.thread_count = source.threads
        codec.colorspace = codec.color_primaries = codec.color_trc = Colorspace.ITU709.value
        return stream

    def _sound_stream(self, source: CutSource) -> AudioStream | None:
        with source.open() as (_, container):
            sound = next(iter(container.streams.audio), None)
            if sound is None or sound.codec_context is None:
                return None
            rate = sound.rate if sound.rate in _SOUND_RATES_HZ else _SOUND_RATES_HZ[0]
            layout = "mono" if sound.channels == 1 else "stereo"
            return self._clip.add_stream("aac", rate=rate, layout=layout)


def _frames(source: CutSource, start_s: float, end_s: float) -> Timed:
    """Yields the frames that are shown between start and end, with their times.

    Damage that is met after a seek begins a second reading, from the start of the file.
    """
    last_s = -inf
    try:
        for time_s, frame in _shown(source, start_s, end_s, seek=start_s > 0):
            yield time_s, frame
            last_s = time_s
    except DamagedVideoError:
        _log.info("%s: damaged, or without a right index; read again", source.path.name)
        for time_s, frame in _shown(source, start_s, end_s, seek=False):
            if time_s > last_s:
                yield time_s, frame


def _shown(source: CutSource, start_s: float, end_s: float, *, seek: bool) -> Timed:
    with source.open() as (video, _):
        coded = frames_from(video, source.origin_s + start_s) if seek else decode(video)
        if coded is None:
            raise DamagedVideoError(f"{source.path.name} has no right index")
        timed = timed_frames(video, coded, origin_s=source.origin_s, limits=source.limits)
        at_start = None
        for one in timed:
            if one.start_s >= end_s and (at_start is None or one.start_s > start_s + ROUNDING_S):
                break
            if one.start_s <= start_s + ROUNDING_S:
                at_start = one
                continue
            if at_start is not None:
                yield max(at_start.start_s, start_s), at_start.frame
                at_start = None
            yield one.start_s, one.frame
        if at_start is not None and at_start.end_s > start_s:
            yield max(at_start.start_s, start_s), at_start.frame


def _sounds(source: CutSource, start_s: float, end_s: float) -> Timed:
    """Yields the sounds that begin between start and end, with their times; none if there are none.

    Sound ends where it is damaged.
    """
    with source.open() as (_, container):
        sound = next(iter(container.streams.audio), None)
        if sound is None or sound.codec_context is None or sound.time_base is None:
            return
        if start_s > 0:
            container.seek(int((source.origin_s + start_s) / sound.time_base), stream=sound)
        try:
            for frame in container.decode(sound):
                if frame.pts is None or frame.time_base is None:
                    continue
                time_s = float(frame.pts * frame.time_base) - source.origin_s
                if time_s >= end_s:
                    return
                if time_s >= start_s:
                    yield time_s, frame
        except av.FFmpegError as error:
            _log.warning("%s: the sound ends early: %s", source.path.name, error.strerror)

"""Reading of snippets: from a video file to groups of frames at a fixed rate.

Any container and codec of FFmpeg is read, from one local file at a time. Few frames are in memory
at once, whatever the length of the video.

Axes: F frames, H height, W width, C the channels red, green and blue.
"""

import hashlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from features.video.decoding import DamagedVideoError, decode, open_video
from features.video.frame_pixels import FrameScaler, shape_of
from features.video.frame_times import (
    at_rate,
    claimed_s,
    first_frame,
    frames_from,
    origin_s,
    timed_frames,
)
from features.video.limits import VideoLimits
from features.video.windows import Windows
from model.errors import VideoError

_log = logging.getLogger(__name__)

_FEW_FRAMES = 50
"""Fewer frames may be equal without a warning."""

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
    clip_frames: int | None = None,
    first_snippet: int = 0,
    border: str | None = None,
    on_border: Callable[[int, str], None] | None = None,
    limits: VideoLimits = DEFAULT_LIMITS,
    threads: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Yields the snippets of a video, RGB (clip_frames + 1, H, W, 3).

    Each snippet contains its frames and the first frame of the next snippet. With more
    `clip_frames`, it also contains as many frames before as after them. At the start and the end of
    the video, the first and the last frame are repeated. A remainder of less than half a snippet is
    dropped, unless it is the whole video. A video therefore has max(1, round(seconds * rate_fps /
    snippet_frames)) snippets, and snippet t starts at t * snippet_frames / rate_fps seconds.

    Args:
        path: a local file.
        rate_fps: frames a second. Each is the frame that a player shows at its time.
        snippet_frames: frames from the start of a snippet to the start of the next.
        short_side: pixels of the shorter side of the scaled frames.
        clip_frames: frames of a snippet without its last one; `snippet_frames` if not given, and
            at least as many.
        first_snippet: index of the first snippet; the snippets are the same as when read from 0.
        border: what an earlier reading passed to `on_border` for `first_snippet`. The file is then
            read from the middle, unless another frame is found there. Without it, the file is
            decoded from its start.
        on_border: is called with the index of each snippet and a digest of the first frame that it
            contains, unless it starts before the video.
        limits: limits on decoding.
        threads: decoder threads; 0 for one on each core.

    Raises:
        VideoError: the video is not readable, or exceeds the limits. The latter may be raised
            after some snippets.
    """
    reading = _Reading.prepare(path, rate_fps, short_side, limits, threads)
    windows = Windows(snippet_frames, clip_frames or snippet_frames)
    first = windows.first_image(first_snippet)
    images = _watched(reading.images(first, border), path.name)
    if on_border is not None:
        images = windows.noted(images, first, on_border)
    yield from windows.cut((image.pixels_HWC for image in images), snippet=first_snippet)


@dataclass(frozen=True, slots=True)
class _Image:
    """The image that is shown at a time."""

    pts: int | None
    """Time stamp of its frame in the file, in units of the stream."""
    pixels_HWC: NDArray[np.uint8]
    """RGB pixels."""

    def digest(self) -> str:
        """Returns a digest of time stamp and pixels."""
        digest = hashlib.sha256(self.pixels_HWC.tobytes())
        digest.update(str(self.pts).encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Reading:
    """A video, and the images that are read from it."""

    path: Path
    """The file."""
    rate_fps: float
    """Images a second."""
    scaler: FrameScaler
    """Converts frames to images."""
    start_s: float
    """Time stamp of time 0."""
    limits: VideoLimits
    """Limits on decoding."""
    threads: int
    """Decoder threads; 0 for one on each core."""

    @classmethod
    def prepare(
        cls, path: Path, rate_fps: float, short_side: int, limits: VideoLimits, threads: int
    ) -> "_Reading":
        """Decodes the first frame, which determines the size of all images and time 0."""
        with open_video(path, limits=limits, threads=1) as stream:
            first_s, frame = _first_frame(stream)
            scaler = FrameScaler(shape_of(frame, stream.sample_aspect_ratio), short_side)
            start_s = origin_s(stream, first_s)
        return cls(path, rate_fps, scaler, start_s, limits, threads)

    def images(self, first: int, border: str | None) -> Iterator[_Image]:
        """Yields the images from an index on, as one thread decodes them from the start.

        The file is read by several threads, and from the middle, as long as no damage is met and
        the first image has the digest `border`. How a decoder conceals damage depends on its
        threads and on all frames before it.
        """
        index = first
        seek = first > 0 and border is not None
        if seek or self.threads != 1:
            with (
                suppress(DamagedVideoError),
                closing(self._decoded(first, seek, strict=True)) as images,
            ):
                for image in images:
                    if seek and index == first and image.digest() != border:
                        break
                    yield image
                    index += 1
                else:
                    if index > first or not seek:
                        return
            _log.info("%s: damaged, or without a right index; read again", self.path.name)
        yield from self._decoded(index, seek=False, strict=False)

    def _decoded(self, first: int, seek: bool, strict: bool) -> Generator[_Image, None, None]:
        """Yields the images from an index on; a frame that is repeated is scaled once.

        Raises:
            VideoError: the video exceeds the limits.
            DamagedVideoError: the video is damaged, and `strict` is given.
        """
        threads = self.threads if strict else 1
        with open_video(self.path, limits=self.limits, threads=threads, strict=strict) as stream:
            stamp_s = self.start_s + first / self.rate_fps
            coded = frames_from(stream, stamp_s) if seek else decode(stream, strict=strict)
            timed = timed_frames(stream, coded or (), origin_s=self.start_s, limits=self.limits)
            last, image = None, None
            for frame in at_rate(timed, self.rate_fps, first=first):
                if image is None or frame is not last:
                    last, image = frame, _Image(frame.pts, self.scaler(frame))
                yield image


def _watched(images: Iterable[_Image], name: str) -> Iterator[_Image]:
    """Yields images, and warns at the end if most frames equal the frame before."""
    frames, repeated, last = 0, 0, None
    for image in images:
        if image is not last:
            frames += 1
            repeated += last is not None and np.array_equal(last.pixels_HWC, image.pixels_HWC)
            last = image
        yield image
    if frames >= _FEW_FRAMES and 2 * repeated > frames:
        _log.warning(
            "%s: %d of %d frames equal the frame before; the video shows a still image, or the "
            "decoder failed", name, repeated, frames,
        )  # fmt: skip


def _first_frame(stream: VideoStream) -> tuple[float, VideoFrame]:
    first = first_frame(stream)
    if first is None:
        name = Path(stream.container.name).name
        raise VideoError(f"{name} has a video stream without a frame that can be decoded")
    return first

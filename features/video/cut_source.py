"""The video from which segments are cut."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from ecm_client.segments import Segment
from features.video.decoding import open_video
from features.video.frame_pixels import Shape, shape_of
from features.video.frame_times import claimed_s, first_frame, origin_s
from features.video.limits import VideoLimits
from model.errors import VideoError

_SLACK_S = 1.0
"""A segment that starts this much after the end begins with the last frame."""
_PERIOD_S = 0.04
"""Length of a frame in videos whose header has no frame rate."""


@dataclass(frozen=True, slots=True)
class CutSource:
    """A video file, and the facts about it that every cut needs."""

    path: Path
    """The file."""
    origin_s: float
    """Time stamp of time 0."""
    duration_s: float | None
    """Duration according to the header; None if it has none."""
    shape: Shape
    """Size and orientation of the frames."""
    container: str
    """Name of the container format in FFmpeg."""
    frame_rate: float | None
    """Average frames a second according to the header; None if it has none."""
    limits: VideoLimits
    """Limits on decoding."""
    threads: int = 0
    """Threads of decoder and encoder; 0 for one on each core."""

    @classmethod
    def prepare(cls, path: Path, limits: VideoLimits, threads: int = 0) -> "CutSource":
        """Decodes the first frame of a file.

        Raises:
            VideoError: the video is not readable, or exceeds the limits.
        """
        with open_video(path, limits=limits, threads=1) as stream:
            first = first_frame(stream)
            if first is None:
                raise VideoError(f"{path.name} has no frame that can be decoded")
            first_s, frame = first
            assert isinstance(stream.container, InputContainer)
            rate = stream.average_rate
            return cls(
                path=path,
                origin_s=origin_s(stream, first_s),
                duration_s=claimed_s(stream),
                shape=shape_of(frame, stream.sample_aspect_ratio),
                container=stream.container.format.name,
                frame_rate=float(rate) if rate else None,
                limits=limits,
                threads=threads,
            )

    @contextmanager
    def open(self) -> Iterator[tuple[VideoStream, InputContainer]]:
        """Opens the file; yields its video stream and its container."""
        with open_video(self.path, limits=self.limits, threads=self.threads) as stream:
            assert isinstance(stream.container, InputContainer)
            yield stream, stream.container

    def check(self, segments: Sequence[Segment]) -> None:
        """Checks that the segments lie within the video, before the first one is cut.

        A segment may start a little after the end, because features have whole snippets.

        Raises:
            VideoError: a segment starts after the end, or ends before its start.
        """
        for segment in segments:
            start_s, end_s = segment.start_s, segment.end_s
            if not (isfinite(start_s) and isfinite(end_s) and start_s <= end_s and end_s >= 0):
                raise VideoError(
                    f"a segment from {start_s:g} s to {end_s:g} s cannot be cut; expected an end "
                    "after its start, from 0 s on"
                )
            if self.duration_s is not None and start_s > self.duration_s + _SLACK_S:
                raise VideoError(
                    f"{self.path.name} lasts {self.duration_s:.3f} s, and a segment starts at "
                    f"{start_s:.3f} s; remove that segment"
                )

    def start_of(self, segment: Segment) -> float:
        """Returns the start of a segment, at least 0 and not after the start of the last frame."""
        last_s = inf
        if self.duration_s is not None:
            last_s = self.duration_s - (1 / self.frame_rate if self.frame_rate else _PERIOD_S)
        return max(0.0, min(segment.start_s, last_s))

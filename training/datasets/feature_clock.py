"""Time of features: the rate at which they were extracted, and whether annotations agree with it.

Axes: V videos.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.errors import OptionError
from model.snippets import SNIPPET_FRAMES
from training.datasets.video_record import VideoRecord

FEATURE_FPS = 25.0
"""Frames per second of the videos from which the published I3D features were extracted."""
MIN_VIDEOS = 3
"""Videos that are needed to judge a clock."""
TOLERANCE = 0.05
"""Difference of durations, as a share, that annotations and padded features commonly have."""
NEARLY_ALL = 0.9
"""Share of the videos that has to agree on a factor."""


@dataclass(frozen=True, slots=True)
class FeatureRate:
    """Snippets of a fixed number of frames at a fixed frame rate."""

    fps: float = FEATURE_FPS
    """Frames per second at which features were extracted, whatever the rate of the videos is."""
    stride_frames: int = SNIPPET_FRAMES
    """Frames from the start of one snippet to the start of the next."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise OptionError(f"expected a feature rate above 0 frames a second, got {self.fps}")
        if self.stride_frames < 1:
            raise OptionError(f"expected a stride of at least 1 frame, got {self.stride_frames}")

    @property
    def snippet_s(self) -> float:
        """Seconds from the start of one snippet to the start of the next."""
        return self.stride_frames / self.fps


def clock_problem(videos: Sequence[VideoRecord], *, has_rate: bool) -> str | None:
    """Returns the evidence that videos are longer or shorter than read; None without any.

    There are two kinds: nearly all annotated durations differ from those of the features by one
    factor, or over a tenth of the annotated videos have a segment that ends after the video.

    Args:
        videos: Videos of a data set.
        has_rate: Whether durations follow from the rate of the features.

    Example: features of 16 frames at 25 a second that are read as 16 at 30 last 1 / 1.2 of their
    videos, so the factor is 1.2.
    """
    factor_V = np.array(
        [v.annotated_s / v.duration_s for v in videos if v.annotated_s and v.duration_s > 0]
    )
    if len(factor_V) >= MIN_VIDEOS:
        factor = float(np.median(factor_V))
        agree = np.abs(factor_V / factor - 1) <= TOLERANCE
        if abs(factor - 1) > TOLERANCE and agree.mean() >= NEARLY_ALL:
            return (
                f"nearly all durations are off by one factor of {_off(factor):.3g}: the annotated "
                f"ones are {factor:.3g} times those of the features; {_RATE_REMEDY}"
            )
    remedy = _RATE_REMEDY if has_rate else "are durations and segments in seconds?"
    return _late_segments(videos, remedy)


_RATE_REMEDY = "is the feature rate right? --feature-fps and --feature-stride set it"


def _off(factor: float) -> float:
    return max(factor, 1 / factor)


def _late_segments(videos: Sequence[VideoRecord], remedy: str) -> str | None:
    timed = [video for video in videos if video.instances]
    late = [
        video
        for video in timed
        if max(one.end_s for one in video.instances) > video.duration_s * (1 + TOLERANCE)
    ]
    if len(late) < MIN_VIDEOS or len(late) <= len(timed) * (1 - NEARLY_ALL):
        return None
    return (
        f"in {len(late)} of {len(timed)} videos a segment ends after the video, for instance in "
        f"{late[0].id!r}: {remedy}"
    )

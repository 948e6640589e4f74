"""Action segments and how much they overlap."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


class Segment(NamedTuple):
    """One action instance in a video. A tuple, since a video may have thousands of candidates."""

    start_s: float
    """Seconds from the video's beginning to the first moment of the action."""
    end_s: float
    """Seconds from the video's beginning to the first moment after it."""
    label: str
    """The action."""
    score: float = 1.0
    """Confidence; comparable within one model. Ground truth has 1."""


def temporal_iou(first: Floats, second: Floats) -> Floats:
    """Returns the temporal intersection over union (tIoU) of segments, in [0, 1].

    The last axis is (start, end) in any one unit; the others broadcast, so every pair of (N, 2)
    and (M, 2) is `temporal_iou(first[:, None], second)`. Two empty segments, and those that are
    NaN, have a tIoU of 0.
    """
    latest_start = np.maximum(first[..., 0], second[..., 0])
    earliest_end = np.minimum(first[..., 1], second[..., 1])
    intersection = np.maximum(earliest_end - latest_start, 0.0)
    length = first[..., 1] - first[..., 0]
    union = length + (second[..., 1] - second[..., 0]) - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)

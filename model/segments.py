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


def temporal_iou(first_N2: Floats, second_M2: Floats) -> Floats:
    """Returns the temporal intersection over union (tIoU) of every pair, (N, M) in [0, 1].

    Rows are (start, end) in any one unit. Two empty segments have a tIoU of 0.
    """
    start_NM = np.maximum(first_N2[:, None, 0], second_M2[None, :, 0])
    end_NM = np.minimum(first_N2[:, None, 1], second_M2[None, :, 1])
    intersection_NM = np.maximum(end_NM - start_NM, 0.0)
    length_N, length_M = np.diff(first_N2).ravel(), np.diff(second_M2).ravel()
    union_NM = length_N[:, None] + length_M[None, :] - intersection_NM
    return np.divide(intersection_NM, union_NM, out=np.zeros_like(union_NM), where=union_NM > 0)

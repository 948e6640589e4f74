"""Action segments and their overlap."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecm_client.segments import Segment as Segment

Floats: TypeAlias = NDArray[np.float64]


def temporal_iou(first: Floats, second: Floats) -> Floats:
    """Returns the temporal intersection over union (tIoU) of segments, in [0, 1].

    The last axis is (start, end) in any unit, and the others broadcast. All pairs of (N, 2) and
    (M, 2) are therefore `temporal_iou(first[:, None], second)`. Segments [0, 4] and [2, 6] overlap
    by 2 of 6, so their tIoU is 1/3. Two empty segments, or a NaN, give 0.
    """
    latest_start = np.maximum(first[..., 0], second[..., 0])
    earliest_end = np.minimum(first[..., 1], second[..., 1])
    intersection = np.maximum(earliest_end - latest_start, 0.0)
    length = first[..., 1] - first[..., 0]
    union = length + (second[..., 1] - second[..., 0]) - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)

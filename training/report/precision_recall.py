"""Precision as a function of recall for every class.

Axes: K tIoU thresholds, C classes, N predictions, R recalls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measurement.metrics import RankedDetections, average_precision, monotone_precision

RECALLS = 101
"""Number of points on a curve, evenly spaced from recall 0 to 1."""


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision-recall curves; the area below each is its average precision."""

    classes: tuple[str, ...]
    """Classes of the ground truth."""
    recall_R: NDArray[np.float64]
    """Recalls at which the curves are sampled."""
    precision_KCR: NDArray[np.float64]
    """Best precision at each recall or a larger one; 0 at recalls that are never reached."""
    ap_KC: NDArray[np.float64]
    """Average precision of each class at each threshold."""


def precision_recall(ranked: Mapping[str, RankedDetections]) -> PrecisionRecall:
    """Returns the curves of all classes at all tIoU thresholds."""
    recall_R = np.linspace(0, 1, RECALLS)
    precision_CKR = [_precision_at(recall_R, of_class) for of_class in ranked.values()]
    ap_CK = [average_precision(r.hit_KN, r.instances) for r in ranked.values()]
    precision_KCR = np.stack(precision_CKR, axis=1)
    return PrecisionRecall(tuple(ranked), recall_R, precision_KCR, np.stack(ap_CK, axis=1))


def _precision_at(recall_R: NDArray[np.float64], ranked: RankedDetections) -> NDArray[np.float64]:
    """Returns the precision of one class at each recall, (K, R)."""
    # Example: 4 instances and 4 predictions, best first, that are hit, miss, hit, miss.
    #   recall         0.25  0.5  0.75  1
    #   needed_R        1    2    3     4    hits that make up this recall
    #   hits_N          1    1    2     2    hits up to each prediction
    #   place_R         0    2    4     4    first prediction with so many hits; 4: there is none
    #   padded_N        1   2/3  2/3   1/2   0, best precision at each prediction or a later one
    #   precision_R     1   2/3   0     0
    # The product is rounded first, because 0.07 * 100 is slightly more than 7 in floating point.
    needed_R = np.maximum(np.ceil(np.round(recall_R * ranked.instances, 9)), 1)
    padded_KN = np.pad(monotone_precision(ranked.hit_KN), ((0, 0), (0, 1)))
    hits_KN = np.cumsum(ranked.hit_KN, axis=1)
    place_KR = np.array([np.searchsorted(hits_N, needed_R) for hits_N in hits_KN])
    return np.take_along_axis(padded_KN, place_KR, axis=1)

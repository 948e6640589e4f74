"""Precision over recall of every class.

Axes: K tIoU thresholds, C classes, N predictions, R recalls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import RankedDetections, average_precision, monotone_precision

RECALLS = 101
"""Points of a curve, from recall 0 to 1."""


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Curves whose areas are the average precisions of the detection metric."""

    classes: tuple[str, ...]
    """The classes of the ground truth."""
    recall_R: NDArray[np.float64]
    """Where the curves are taken."""
    precision_KCR: NDArray[np.float64]
    """Best precision at that recall or a larger one; 0 where the recall is never reached."""
    ap_KC: NDArray[np.float64]
    """Average precision."""


def precision_recall(ranked: Mapping[str, RankedDetections]) -> PrecisionRecall:
    """Returns the curves of all classes at all thresholds."""
    recall_R = np.linspace(0, 1, RECALLS)
    precision_CKR = [_precision_at(recall_R, found) for found in ranked.values()]
    ap_CK = [average_precision(found.hit_KN, found.instances) for found in ranked.values()]
    precision_KCR = np.stack(precision_CKR, axis=1)
    return PrecisionRecall(tuple(ranked), recall_R, precision_KCR, np.stack(ap_CK, axis=1))


def _precision_at(recall_R: NDArray[np.float64], found: RankedDetections) -> NDArray[np.float64]:
    """Returns the precision at each recall, (K, R)."""
    # Rounded first, since 0.07 * 100 is more than 7.
    needed_R = np.maximum(np.ceil(np.round(recall_R * found.instances, 9)), 1)
    padded_KN = np.pad(monotone_precision(found.hit_KN), ((0, 0), (0, 1)))
    hits_KN = np.cumsum(found.hit_KN, axis=1)
    place_KR = np.array([np.searchsorted(hits_N, needed_R) for hits_N in hits_KN])
    return np.take_along_axis(padded_KN, place_KR, axis=1)

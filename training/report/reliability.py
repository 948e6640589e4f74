"""Whether scores are the shares of hits that they claim to be.

Axes: N scored things, B bins of scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Bins of equal width from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Scores in bins against what came of them."""

    count_B: NDArray[np.intp]
    """Scores in each bin."""
    score_B: NDArray[np.float64]
    """Their mean; NaN in an empty bin."""
    hit_share_B: NDArray[np.float64]
    """The share of them that hit; NaN in an empty bin."""

    @property
    def error(self) -> float:
        """The expected calibration error: mean gap of score and share; NaN without any score."""
        if not self.count_B.any():
            return float("nan")
        gap_B = np.nan_to_num(np.abs(self.score_B - self.hit_share_B))
        return float((gap_B * self.count_B).sum() / self.count_B.sum())


def reliability(score_N: NDArray[np.floating], hit_N: NDArray[np.bool_]) -> Reliability:
    """Returns the bins; scores below 0 count as 0 and those above 1 as 1."""
    score_N = np.clip(np.asarray(score_N, dtype=np.float64), 0, 1)
    bin_N = np.minimum((score_N * BINS).astype(np.intp), BINS - 1)
    count_B = np.bincount(bin_N, minlength=BINS)
    sums = [np.bincount(bin_N, weights=values, minlength=BINS) for values in (score_N, hit_N)]
    score_B, hit_share_B = (
        np.divide(sum_B, count_B, out=np.full(BINS, np.nan), where=count_B > 0) for sum_B in sums
    )
    return Reliability(count_B, score_B, hit_share_B)

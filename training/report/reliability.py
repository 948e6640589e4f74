"""Reliability diagrams: the share of hits among predictions with similar scores.

Axes: N scores, B bins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Number of bins, of equal width from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Scores in bins, and the share of hits in each bin."""

    count_B: NDArray[np.intp]
    """Number of scores in each bin."""
    score_B: NDArray[np.float64]
    """Mean score of each bin; NaN for an empty bin."""
    hit_share_B: NDArray[np.float64]
    """Share of hits in each bin, from 0 to 1; NaN for an empty bin."""

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap between score and share; NaN without scores."""
        if not self.count_B.any():
            return float("nan")
        gap_B = np.nan_to_num(np.abs(self.score_B - self.hit_share_B))
        return float((gap_B * self.count_B).sum() / self.count_B.sum())


def reliability(score_N: NDArray[np.floating], hit_N: NDArray[np.bool_]) -> Reliability:
    """Returns the reliability diagram; scores below 0 count as 0 and scores above 1 as 1."""
    # Example: scores 0.02, 0.06, 0.9 and 1; the second is a miss, the others are hits.
    #   bin_N        0, 0, 9, 9
    #   count_B      2 in bin 0, 2 in bin 9
    #   score_B      0.04 and 0.95
    #   hit_share_B  0.5 and 1
    # The expected calibration error is (2 * 0.46 + 2 * 0.05) / 4 = 0.255.
    score_N = np.clip(np.asarray(score_N, dtype=np.float64), 0, 1)
    bin_N = np.minimum((score_N * BINS).astype(np.intp), BINS - 1)
    count_B = np.bincount(bin_N, minlength=BINS)
    sums = [np.bincount(bin_N, weights=values, minlength=BINS) for values in (score_N, hit_N)]
    score_B, hit_share_B = (
        np.divide(sum_B, count_B, out=np.full(BINS, np.nan), where=count_B > 0) for sum_B in sums
    )
    return Reliability(count_B, score_B, hit_share_B)

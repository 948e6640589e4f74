"""Familiarity: whether a video's features are like those that a model learned from.

A network gives any video a confident class, also one that is unlike all training videos. The
distance of a video is the median Mahalanobis distance of its snippets from the training snippets.
Familiarity is the share of the training videos that are as far away, each measured against the
others.

The channels are folded to at most 32, so that the statistics fit into the spec of a model: channel
d is added to component d mod 32 with a sign. Such random sums nearly keep the order of distances.

Axes: T snippets, D feature channels, F folded channels, V training videos, Q quantiles.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from model.errors import SpecError

FOLDED_CHANNELS = 32
"""Largest number of folded channels."""
QUANTILES = 21
"""Number of stored quantiles of the training distances: 0 %, 5 %, ..., 100 %."""
FAR = 1.25
"""A video is unlike the training videos if it is farther than this multiple of the farthest one."""

_LEAST_DISTANCE = 1e-6
"""Distance of training videos that are all the same, which is 0, for division."""
_SIGN_SEED = 0x9E3779B1


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Statistics of the training features."""

    mean_F: tuple[float, ...]
    """Mean of each folded channel over the training snippets."""
    whitening_FF: tuple[tuple[float, ...], ...]
    """Matrix W with W^T W the inverse covariance; a snippet's distance is |W (x - mean)|."""
    distance_Q: tuple[float, ...]
    """Quantiles, equally spaced from 0 to 100 %, of the distances of the training videos, each
    measured against the statistics of the others."""

    def __post_init__(self) -> None:
        folded, numbers = len(self.mean_F), (*self.mean_F, *self.distance_Q)
        is_square = [len(row_F) for row_F in self.whitening_FF] == [folded] * folded
        if not (is_square and folded and len(self.distance_Q) > 1):
            raise SpecError(
                "training_features: expected a mean, a square whitening matrix of its length and "
                f"at least 2 quantiles, got {folded} means, {len(self.whitening_FF)} rows and "
                f"{len(self.distance_Q)} quantiles"
            )
        if not all(map(math.isfinite, (*numbers, *chain(*self.whitening_FF)))):
            raise SpecError("training_features: expected finite numbers, got NaN or infinity")


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Likeness of a video to the training videos."""

    share: float
    """Share of the training videos that are at least as far away, in [0, 1]."""
    excess: float
    """Distance of the video over that of the farthest training video."""

    @property
    def note(self) -> str | None:
        """Sentence for people if the video is unlike the training videos; else None."""
        if self.excess <= FAR:
            return None
        return (
            f"the video is unlike the training videos: its features are {self.excess:.1f} times as "
            "far from theirs as those of the farthest one, so its scores mean little"
        )


def familiarity(features_TD: NDArray[np.floating], statistics: FeatureStatistics) -> Familiarity:
    """Returns the likeness of a video to the training videos."""
    mean_F, whitening_FF = np.array(statistics.mean_F), np.array(statistics.whitening_FF)
    distance = video_distance(fold(features_TD), mean_F, whitening_FF)
    distance_Q = np.array(statistics.distance_Q)
    # Nearness rises, so that at a distance of several quantiles the largest share counts.
    share_Q = np.linspace(0, 1, len(distance_Q))
    share = float(np.interp(-distance, -distance_Q[::-1], share_Q))
    return Familiarity(share, distance / max(float(distance_Q[-1]), _LEAST_DISTANCE))


def fold(features_TD: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns sums of the channels with signs, (T, F); up to 32 channels keep their size."""
    with np.errstate(over="ignore", invalid="ignore"):  # huge features are infinitely far
        return features_TD.astype(np.float32, copy=False) @ _fold_matrix(features_TD.shape[1])


@lru_cache(maxsize=8)
def _fold_matrix(channels: int) -> NDArray[np.float32]:
    index_D = np.arange(channels, dtype=np.uint64)
    folded = min(channels, FOLDED_CHANNELS)
    sign_D = 1 - 2 * ((index_D * np.uint64(_SIGN_SEED)) >> np.uint64(16) & np.uint64(1)).astype(int)
    fold_DF = np.zeros((channels, folded), np.float32)
    fold_DF[np.arange(channels), np.arange(channels) % folded] = sign_D
    return fold_DF


def video_distance(
    folded_TF: NDArray[np.float32], mean_F: NDArray[np.float64], whitening_FF: NDArray[np.float64]
) -> float:
    """Returns the median Mahalanobis distance of the snippets of a video; inf if it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        distance_T = np.linalg.norm((folded_TF - mean_F) @ whitening_FF.T, axis=1)
    return float(np.nan_to_num(np.median(distance_T), nan=np.inf, posinf=np.inf))

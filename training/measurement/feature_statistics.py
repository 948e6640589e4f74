"""Statistics of the training features, by which a model notices unfamiliar videos.

Axes: T snippets, F folded channels, V training videos, Q quantiles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.familiarity import QUANTILES, FeatureStatistics, fold, video_distance
from training.datasets.video_record import VideoSet

LEAST_VIDEOS = 5
"""Fewest training videos for which distances mean something."""
RIDGE = 0.05
"""Share of the mean variance that is added to every variance, so that no direction has none."""


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over snippets."""

    count: int
    sum_F: NDArray[np.float64]
    squares_FF: NDArray[np.float64]

    @classmethod
    def of(cls, folded_TF: NDArray[np.float32]) -> "_Moments":
        wide_TF = folded_TF.astype(np.float64)
        return cls(len(wide_TF), wide_TF.sum(axis=0), wide_TF.T @ wide_TF)

    def without(self, other: "_Moments") -> "_Moments":
        return _Moments(
            self.count - other.count, self.sum_F - other.sum_F, self.squares_FF - other.squares_FF
        )

    def mean_and_whitening(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mean_F = self.sum_F / self.count
        covariance_FF = self.squares_FF / self.count - np.outer(mean_F, mean_F)
        variance = float(np.maximum(np.trace(covariance_FF) / len(mean_F), 0)) or 1.0
        lower_FF = np.linalg.cholesky(covariance_FF + RIDGE * variance * np.eye(len(mean_F)))
        return mean_F, np.linalg.inv(lower_FF)


def feature_statistics(training: VideoSet) -> FeatureStatistics | None:
    """Returns the statistics of the training features; None for fewer than five videos.

    Each video is measured against the statistics of the others, as a new video will be. All folded
    features are in memory at the same time: 128 bytes a snippet.

    Raises:
        DataError: A video's features cannot be used.
    """
    if len(training.videos) < LEAST_VIDEOS:
        return None
    folded = [fold(video.features()) for video in training.videos]
    moments = [_Moments.of(folded_TF) for folded_TF in folded]
    total = _Moments(
        sum(part.count for part in moments),
        np.sum([part.sum_F for part in moments], axis=0),
        np.sum([part.squares_FF for part in moments], axis=0),
    )
    distance_V = [
        video_distance(folded_TF, *total.without(own).mean_and_whitening())
        for folded_TF, own in zip(folded, moments, strict=True)
    ]
    mean_F, whitening_FF = total.mean_and_whitening()
    return FeatureStatistics(
        tuple(mean_F.tolist()),
        tuple(map(tuple, whitening_FF.tolist())),
        tuple(np.quantile(distance_V, np.linspace(0, 1, QUANTILES)).tolist()),
    )

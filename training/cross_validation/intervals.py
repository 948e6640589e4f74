"""Confidence intervals of figures, by drawing the measured videos again with replacement.

Axes: V videos, R resamples, N predictions, K tIoU thresholds, C classes, G groups
of equal scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.segments import Segment
from training.measurement.metrics import average_precision, rank_detections, tagging_ap
from training.measurement.summary import mean

RESAMPLES = 1000
"""Number of resamples."""
SHARE = 0.95
"""Share of the resamples within an interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure of all videos, and its interval over the resamples."""

    value: float
    """The figure; NaN where it is not defined."""
    low: float
    """Lower end; NaN where no resample has the figure."""
    high: float
    """Upper end."""

    @property
    def signed(self) -> str:
        """Text of a difference in percent: `+0.8 (+0.6 to +1.1)`."""
        return f"{self.value:+.1f} ({self.low:+.1f} to {self.high:+.1f})"


def resampled_counts(unit_V: Sequence[str], seed: int = 0) -> NDArray[np.intp]:
    """Returns how often each video is in each resample, (R, V); the first resample has all once.

    Args:
        unit_V: Name of each video; videos of one name, such as parts of one file, come together.
        seed: Seed of the drawing.
    """
    _, unit_of_V = np.unique(unit_V, return_inverse=True)
    units = int(unit_of_V.max()) + 1
    rng = np.random.default_rng(seed)
    drawn_RU = rng.multinomial(units, np.full(units, 1 / units), size=RESAMPLES)
    return np.asarray(np.vstack([np.ones((1, units), np.intp), drawn_RU])[:, unit_of_V])


def detection_intervals(
    truth: Mapping[str, Sequence[Segment]],
    segments: Mapping[str, Sequence[Segment]],
    tiou_K: Sequence[float],
    count_RV: NDArray[np.intp],
) -> list[Interval]:
    """Returns the interval of mAP at each threshold, and last that of their mean.

    Args:
        truth: True instances of each video; the order of the videos is that of the counts.
        segments: Predicted segments of each video.
        tiou_K: Thresholds of the detection metric.
        count_RV: How often each video is in each resample, all once in the first.

    Raises:
        DataError: The ground truth contains no instance.
    """
    map_RK = resampled_map(truth, segments, tiou_K, count_RV)
    return _intervals(np.hstack([map_RK, map_RK.mean(axis=1, keepdims=True)]))


def resampled_map(
    truth: Mapping[str, Sequence[Segment]],
    segments: Mapping[str, Sequence[Segment]],
    tiou_K: Sequence[float],
    count_RV: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Returns mAP of each resample at each threshold, (R, K); see `detection_intervals`.

    Counts of 0 and 1 select a part of the videos. NaN is the mAP of a part without instances.
    """
    names = list(truth)
    row_of = {name: row for row, name in enumerate(names)}
    ranked = rank_detections(truth, segments, tiou_K)
    of_class = []
    for label, one in ranked.items():
        row_N = np.array([row_of[name] for name in one.video_N.tolist()], np.intp)
        true_V = np.array([sum(s.label == label for s in truth[name]) for name in names])
        of_class.append((row_N, true_V, one.hit_KN))
    return np.array([_mean_ap(of_class, count_V, len(tiou_K)) for count_V in count_RV])


def _mean_ap(
    of_class: Sequence[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]],
    count_V: NDArray[np.intp],
    thresholds: int,
) -> NDArray[np.float64]:
    """Returns mAP at each threshold over the classes that a resample has."""
    ap_CK = []
    for row_N, true_V, hit_KN in of_class:
        if instances := int(count_V @ true_V):
            drawn = np.repeat(np.arange(len(row_N)), count_V[row_N])
            ap_CK.append(average_precision(hit_KN[:, drawn], instances))
    return np.mean(ap_CK, axis=0) if ap_CK else np.full(thresholds, np.nan)


def tag_intervals(
    score_VC: NDArray[np.float64], tag_VC: NDArray[np.bool_], count_RV: NDArray[np.intp]
) -> list[Interval]:
    """Returns the intervals of the mean average precision and of the mean AUC of the tags."""
    auc_CR = [resampled_auc(*pair, count_RV) for pair in zip(tag_VC.T, score_VC.T, strict=True)]
    figures_R2 = []
    for count_V, auc_C in zip(count_RV, np.transpose(auc_CR).tolist(), strict=True):
        drawn = np.repeat(np.arange(len(count_V)), count_V)
        ap_C = tagging_ap(score_VC[drawn], tag_VC[drawn].astype(float))
        figures_R2.append([mean(ap_C.tolist()), mean(auc_C)])
    return _intervals(np.array(figures_R2))


def resampled_auc(
    tag_V: NDArray[np.bool_], score_V: NDArray[np.float64], count_RV: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Returns the area under the ROC curve of each resample, (R,); NaN where all tags are equal.

    The area is the share of pairs of a video with the tag and one without it in which the former
    has the higher score. Equal scores count as half a pair. Scores 0.9, 0.5, 0.5 and 0.1, of which
    the first two have the tag, have 3.5 of 4 pairs.
    """
    order_V = np.argsort(score_V, kind="stable")
    score_V, with_RV = score_V[order_V], (count_RV * tag_V)[:, order_V]
    without_RV = count_RV[:, order_V] - with_RV
    first_G = np.flatnonzero(np.diff(score_V, prepend=-np.inf))  # groups of equal scores
    with_RG, without_RG = (np.add.reduceat(x, first_G, axis=1) for x in (with_RV, without_RV))
    below_RG = np.cumsum(without_RG, axis=1) - without_RG / 2
    pairs_R = with_RV.sum(axis=1) * without_RV.sum(axis=1)
    right_R = (with_RG * below_RG).sum(axis=1)
    return np.where(pairs_R > 0, right_R / np.maximum(pairs_R, 1), np.nan)


def _intervals(figures_RX: NDArray[np.float64]) -> list[Interval]:
    """Returns the interval of each column; the first row has the figures of all videos."""
    return [interval_of(column_R) for column_R in figures_RX.T]


def interval_of(figure_R: NDArray[np.float64]) -> Interval:
    """Returns the interval of a figure, of which the first one is that of all videos."""
    drawn_R = figure_R[1:][~np.isnan(figure_R[1:])]
    ends = np.quantile(drawn_R, [(1 - SHARE) / 2, (1 + SHARE) / 2]) if len(drawn_R) else None
    low, high = (np.nan, np.nan) if ends is None else ends.tolist()
    return Interval(float(figure_R[0]), low, high)

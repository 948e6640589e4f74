"""From the class activation sequence (CAS) of a video to its action segments.

    CAS logits (T, C) -> class scores (C,) -> reject absent classes -> normalise each class over
    time -> threshold at many levels -> runs above a level are proposals -> score each by its
    outer-inner contrast -> suppress what overlaps a better one -> segments in seconds

Paper, section 3.5; BaS-Net; AutoLoc for the outer-inner contrast. Two protocols:

- `corrected`, the default: a run starts and ends exactly where the line between two snippets
  crosses the threshold, the outer window is symmetric, the tIoU is a true one.
- `released`: what the published ECM numbers were made with. The CAS is interpolated to the
  frames and runs end at frames; outside a run, what lies below its own threshold counts as 0;
  the right outer window is one frame short; overlaps and lengths in NMS are taken "+ 1", a habit
  from pixels, although they are seconds. With thresholds below 0.2, as it has them, counting 0
  changes little; with high ones every narrow peak would have an empty outside and win.

All classes and thresholds of a video are worked on together. Axes: T snippets, C classes,
P classes present, N points in time, K thresholds, R runs. Positions count points from 0 to N;
point i covers [i, i + 1) and its value stands at i + 0.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import OptionError
from model.segments import Segment
from model.snippets import SNIPPET_FRAMES, resample
from model.suppression import Nms, suppress

Protocol: TypeAlias = Literal["corrected", "released"]
Activation: TypeAlias = Literal["softmax", "sigmoid"]
Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LocalizationConfig:
    """How segments are read off a class activation sequence."""

    protocol: Protocol = "corrected"
    """`corrected` or `released`; see the module."""
    class_threshold: float = 0.25
    """tau: classes whose score is lower are absent."""
    cas_threshold_min: float = 0.05
    """Lowest threshold on the normalised CAS."""
    cas_threshold_max: float = 0.95
    """The thresholds end before this one."""
    cas_threshold_step: float = 0.05
    """From one threshold to the next."""
    outer_ratio: float = 0.4
    """lambda: length of each outer window over the segment's."""
    class_score_weight: float = 0.15
    """gamma: weight of the class score in a segment's score."""
    nms: Nms = "fast-soft"
    """`greedy`, `soft`, `fast-soft` or `none`; see model/suppression.py."""
    nms_iou: float = 0.6
    """`greedy` drops a segment whose tIoU with a better one reaches this."""
    soft_nms_sigma: float = 0.5
    """`soft` and `fast-soft` multiply a score by exp(-tIoU^2 / sigma) for each better segment."""
    min_score: float | None = None
    """Segments below it are left out; None keeps all."""
    max_segments: int | None = None
    """Only so many of the best are kept; None keeps all."""

    def __post_init__(self) -> None:
        for name in ("class_threshold", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
        if not self.cas_threshold_step > 0:
            raise OptionError(f"cas_threshold_step must be above 0, not {self.cas_threshold_step}")
        if not 0 <= self.cas_threshold_min < self.cas_threshold_max:
            raise OptionError(
                "cas_threshold_min must lie in [0, cas_threshold_max), not "
                f"{self.cas_threshold_min} with cas_threshold_max {self.cas_threshold_max}"
            )
        if not (self.outer_ratio >= 0 and self.soft_nms_sigma > 0):
            raise OptionError(
                "outer_ratio must be at least 0 and soft_nms_sigma above 0, not "
                f"{self.outer_ratio} and {self.soft_nms_sigma}"
            )
        if self.max_segments is not None and self.max_segments < 0:
            raise OptionError(f"max_segments must be at least 0, not {self.max_segments}")

    @property
    def cas_thresholds_K(self) -> NDArray[np.float32]:
        """The thresholds, ascending; 0 stands for "more than 0"."""
        thresholds_K = np.arange(
            self.cas_threshold_min, self.cas_threshold_max, self.cas_threshold_step
        )
        return np.maximum(thresholds_K, np.finfo(np.float32).tiny).astype(np.float32)


def class_scores(
    cas_TC: NDArray[np.float32],
    topk_ratio: float,
    scale: float = 1.0,
    activation: Activation = "softmax",
) -> Floats:
    """Returns the video's probability of each class, (C,).

    The activation of `scale` times the top-k means; paper, section 3.1. `softmax` shares one
    among the classes; `sigmoid` judges each class by itself, so a video may show none.
    """
    return activate(scale * topk_mean(cas_TC, topk_ratio), activation)


def topk_mean(cas_TC: NDArray[np.float32], ratio: float) -> Floats:
    """Returns the mean of each class's k = int(T * ratio) largest logits (at least one), (C,)."""
    k = max(1, int(len(cas_TC) * ratio))
    cas_CT = np.array(cas_TC.T, order="C")  # a partition along contiguous rows is twice as fast
    cas_CT.partition(len(cas_TC) - k, axis=1)
    return cas_CT[:, -k:].mean(axis=1, dtype=np.float64)


def activate(logits_C: Floats, activation: Activation) -> Floats:
    """Returns probabilities, `softmax` over the last axis or `sigmoid` of each logit."""
    if activation == "sigmoid":
        return 0.5 * (1 + np.tanh(0.5 * logits_C))
    exponents_C = np.exp(logits_C - logits_C.max(axis=-1, keepdims=True))
    return exponents_C / exponents_C.sum(axis=-1, keepdims=True)


def localize(
    cas_TC: NDArray[np.float32],
    class_scores_C: NDArray[np.floating],
    *,
    labels: Sequence[str],
    duration_s: float,
    config: LocalizationConfig,
    frames: int | None = None,
) -> list[Segment]:
    """Returns the segments of one video, best first; empty where no class passes tau.

    Args:
        cas_TC: logits, not normalised.
        class_scores_C: the video's probability of each class, as `class_scores` gives it.
        labels: the name of each class.
        duration_s: how long the T snippets last together.
        config: the protocol and its settings.
        frames: the video's number of frames, which protocol `released` interpolates to;
            16 a snippet if not given.
    """
    present_P = np.flatnonzero(np.asarray(class_scores_C) >= config.class_threshold)
    cas_NP = normalise(np.asarray(cas_TC, dtype=np.float32)[:, present_P])
    if config.protocol == "released":
        cas_NP = resample(cas_NP, frames or len(cas_TC) * SNIPPET_FRAMES)
    runs = _find_runs(np.ascontiguousarray(cas_NP.T), config)
    point_s = duration_s / len(cas_NP)
    start_R, end_R = runs.start_R * point_s, runs.end_R * point_s
    class_R = present_P[runs.row_R]
    score_R = _contrast(runs, config) + config.class_score_weight * class_scores_C[class_R]
    kept, score = suppress(
        start_R,
        end_R,
        score_R,
        group_R=runs.row_R,
        nms=config.nms,
        iou=config.nms_iou,
        sigma=config.soft_nms_sigma,
        pixel_s=1.0 if config.protocol == "released" else 0.0,
    )
    if config.min_score is not None:
        kept, score = kept[score >= config.min_score], score[score >= config.min_score]
    kept, score = kept[: config.max_segments], score[: config.max_segments]
    names = [labels[class_] for class_ in class_R[kept].tolist()]
    return list(map(Segment, start_R[kept].tolist(), end_R[kept].tolist(), names, score.tolist()))


def normalise(cas_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the CAS with each class's largest logit at 1 and its smallest, or 0, at 0.

    Logits below 0 count as background: where the smallest is negative it stays below 0. A class
    without any logit above 0 has nothing to show and comes out without a value above 0.
    """
    low_C = np.maximum(cas_TC.min(axis=0), 0)
    extent_C = np.maximum(cas_TC.max(axis=0), 0) - low_C
    return (cas_TC - low_C) / np.where(extent_C > 0, extent_C, np.float32(1))


@dataclass(frozen=True, slots=True)
class _Runs:
    """Every maximal run of points above each threshold, by class, threshold and time."""

    row_R: Indices
    """Index of the class among those present."""
    level_R: Indices
    """Index of the threshold."""
    thresholds_K: NDArray[np.float32]
    """The thresholds, ascending."""
    start_R: Floats
    """Position where the run begins."""
    end_R: Floats
    """Position where it ends."""
    cas_PN: NDArray[np.float32]
    """The normalised CAS."""
    integral_PN: Floats
    """(P, N + 1): the sum of all values before each whole position."""

    def sum_between(self, start_R: Floats, end_R: Floats) -> Floats:
        """Returns the sum of each run's class between two positions; a value lasts for its box."""
        return self._sum_before(end_R) - self._sum_before(start_R)

    def _sum_before(self, position_R: Floats) -> Floats:
        points = self.cas_PN.shape[1]
        box_R = np.minimum(position_R.astype(np.intp), points - 1)
        whole_R = self.integral_PN.ravel()[self.row_R * (points + 1) + box_R]
        return whole_R + (position_R - box_R) * self.cas_PN.ravel()[self.row_R * points + box_R]


def _find_runs(cas_PN: NDArray[np.float32], config: LocalizationConfig) -> _Runs:
    """Finds the runs of all thresholds in one pass over the points.

    A point's level is the number of thresholds that it reaches, so between two neighbours a run
    begins for each threshold by which the level rises and ends for each by which it falls.
    """
    thresholds_K = config.cas_thresholds_K
    classes, points = cas_PN.shape
    level = np.zeros((classes, points + 2), dtype=np.intp)
    level[:, 1:-1] = np.searchsorted(thresholds_K, cas_PN, side="right")
    step = np.diff(level, axis=1)
    exact = config.protocol == "corrected"
    rise, fall = np.maximum(step, 0), np.maximum(-step, 0)
    row_R, level_R, start_R = _crossings(rise, level[:, :-1], cas_PN, thresholds_K, exact=exact)
    _, _, end_R = _crossings(fall, level[:, 1:], cas_PN, thresholds_K, exact=exact)
    integral_PN = np.zeros((classes, points + 1))
    np.cumsum(cas_PN, axis=1, out=integral_PN[:, 1:])
    return _Runs(row_R, level_R, thresholds_K, start_R, end_R, cas_PN, integral_PN)


def _crossings(
    count: Indices,
    lowest_level: Indices,
    cas_PN: NDArray[np.float32],
    thresholds_K: NDArray[np.float32],
    *,
    exact: bool,
) -> tuple[Indices, Indices, Floats]:
    """Returns class, threshold and position of each crossing, in this order of importance.

    Args:
        count: (P, N + 1), the thresholds crossed between point i - 1 and point i.
        lowest_level: (P, N + 1), the lowest of these.
        cas_PN: the normalised CAS.
        thresholds_K: the thresholds.
        exact: whether a crossing lies where the line between the middles of two points meets the
            threshold, or halfway.
    """
    points = cas_PN.shape[1]
    place = np.flatnonzero(count)
    several = count.ravel()[place]
    first = np.repeat(np.cumsum(several) - several, several)
    place = np.repeat(place, several)
    level = lowest_level.ravel()[place] + np.arange(len(place)) - first
    row, boundary = np.divmod(place, points + 1)
    order = np.argsort(row * len(thresholds_K) + level, kind="stable")
    row, level, boundary = row[order], level[order], boundary[order]
    position = boundary.astype(np.float64)
    if exact:
        right = row * points + np.clip(boundary, 1, points - 1)
        before, after = cas_PN.ravel()[right - 1].astype(np.float64), cas_PN.ravel()[right]
        inner = (boundary > 0) & (boundary < points)
        rise = np.where(inner, after - before, 1)
        position += np.where(inner, (thresholds_K[level] - before) / rise - 0.5, 0)
    return row, level, position


def _contrast(runs: _Runs, config: LocalizationConfig) -> Floats:
    """Returns each run's outer-inner contrast: mean inside minus mean of what surrounds it."""
    length_R = runs.end_R - runs.start_R
    inside_R = runs.sum_between(runs.start_R, runs.end_R)
    outer = _released_outer if config.protocol == "released" else _outer
    sum_R, points_R = outer(runs, inside_R, config)
    mean_outside_R = np.divide(sum_R, points_R, out=np.zeros_like(sum_R), where=points_R > 0)
    return inside_R / length_R - mean_outside_R


def _outer(runs: _Runs, inside_R: Floats, config: LocalizationConfig) -> tuple[Floats, Floats]:
    """Returns sum and number of points of the windows on both sides of each run.

    Beyond the video's ends a window holds the run's threshold. A run that fills the video then
    has next to no contrast, instead of all of it for lack of an outside.
    """
    window_R = config.outer_ratio * (runs.end_R - runs.start_R)
    left_R = np.maximum(runs.start_R - window_R, 0)
    right_R = np.minimum(runs.end_R + window_R, runs.cas_PN.shape[1])
    beyond_R = 2 * window_R - (runs.start_R - left_R) - (right_R - runs.end_R)
    around_R = runs.sum_between(left_R, right_R) - inside_R
    return around_R + beyond_R * runs.thresholds_K[runs.level_R], 2 * window_R


def _released_outer(
    runs: _Runs, inside_R: Floats, config: LocalizationConfig
) -> tuple[Floats, Floats]:
    """Returns the same as the released code has it: cut at the ends, the right one point short.

    What lies below the run's own threshold counts as 0; an empty outside has mean 0.
    """
    window_R = config.outer_ratio * (runs.end_R - runs.start_R)
    left_R = np.floor(np.maximum(runs.start_R - window_R, 0))
    right_R = np.minimum(np.trunc(runs.end_R - 1 + window_R), runs.cas_PN.shape[1])
    right_R = np.maximum(right_R, runs.end_R)
    points_R = (runs.start_R - left_R) + (right_R - runs.end_R)
    return _sum_above_threshold(runs, inside_R, left_R, right_R) - inside_R, points_R


def _sum_above_threshold(runs: _Runs, inside_R: Floats, left_R: Floats, right_R: Floats) -> Floats:
    """Returns the sum from left to right over all runs of the same class and threshold."""
    before_R = np.cumsum(inside_R) - inside_R
    levels = runs.level_R.max(initial=0) + 1
    line_R = runs.row_R * levels + runs.level_R
    stride = runs.cas_PN.shape[1] + 1.0
    key_R = line_R * stride + runs.start_R

    def upto(position_R: Floats) -> Floats:
        """Sum over all runs of earlier lines and over those of the own one up to a position."""
        run_R = np.searchsorted(key_R, line_R * stride + position_R, side="right") - 1
        run_R = np.maximum(run_R, 0)
        start_R, end_R = runs.start_R[run_R], runs.end_R[run_R]
        cut_R = np.clip(position_R, start_R, end_R)
        part_R = runs.sum_between(start_R, cut_R)
        return before_R[run_R] + np.where(line_R[run_R] == line_R, part_R, inside_R[run_R])

    return upto(right_R) - upto(left_R)

"""Runs of a class activation sequence (CAS) above thresholds, and how they stand out.

All classes and thresholds of a video are worked on together. Axes: P classes, N points in time,
K thresholds, R runs. Positions count points from 0 to N; point i covers [i, i + 1) and its value
stands at i + 0.5.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Runs:
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


def find_runs(
    cas_PN: NDArray[np.float32], thresholds_K: NDArray[np.float32], *, exact: bool
) -> Runs:
    """Returns the runs of all thresholds, found in one pass over the points.

    A point's level is the number of thresholds that it reaches, so between two neighbours a run
    begins for each threshold by which the level rises and ends for each by which it falls.

    Args:
        cas_PN: the normalised CAS.
        thresholds_K: the thresholds, ascending, above 0.
        exact: whether a run begins and ends where the line between the middles of two points
            meets the threshold, or halfway between them.
    """
    classes, points = cas_PN.shape
    level = np.zeros((classes, points + 2), dtype=np.intp)
    level[:, 1:-1] = np.searchsorted(thresholds_K, cas_PN, side="right")
    step = np.diff(level, axis=1)
    rise, fall = np.maximum(step, 0), np.maximum(-step, 0)
    row_R, level_R, start_R = _crossings(rise, level[:, :-1], cas_PN, thresholds_K, exact=exact)
    _, _, end_R = _crossings(fall, level[:, 1:], cas_PN, thresholds_K, exact=exact)
    integral_PN = np.zeros((classes, points + 1))
    np.cumsum(cas_PN, axis=1, out=integral_PN[:, 1:])
    return Runs(row_R, level_R, thresholds_K, start_R, end_R, cas_PN, integral_PN)


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


def contrast(runs: Runs, outer_ratio: float) -> Floats:
    """Returns each run's outer-inner contrast: mean inside minus mean of a window on both sides.

    Beyond the video's ends a window holds the run's threshold. A run that fills the video then
    has next to no contrast, instead of all of it for lack of an outside.
    """
    window_R = outer_ratio * (runs.end_R - runs.start_R)
    left_R = np.maximum(runs.start_R - window_R, 0)
    right_R = np.minimum(runs.end_R + window_R, runs.cas_PN.shape[1])
    beyond_R = 2 * window_R - (runs.start_R - left_R) - (right_R - runs.end_R)
    inside_R = runs.sum_between(runs.start_R, runs.end_R)
    around_R = runs.sum_between(left_R, right_R) - inside_R
    outside_R = around_R + beyond_R * runs.thresholds_K[runs.level_R]
    return _difference_of_means(runs, inside_R, outside_R, 2 * window_R)


def released_contrast(runs: Runs, outer_ratio: float) -> Floats:
    """Returns the same as the released code has it: cut at the ends, the right one point short.

    What lies below the run's own threshold counts as 0; an empty outside has mean 0.
    """
    window_R = outer_ratio * (runs.end_R - runs.start_R)
    left_R = np.floor(np.maximum(runs.start_R - window_R, 0))
    right_R = np.minimum(np.trunc(runs.end_R - 1 + window_R), runs.cas_PN.shape[1])
    right_R = np.maximum(right_R, runs.end_R)
    points_R = (runs.start_R - left_R) + (right_R - runs.end_R)
    inside_R = runs.sum_between(runs.start_R, runs.end_R)
    outside_R = _sum_above_threshold(runs, inside_R, left_R, right_R) - inside_R
    return _difference_of_means(runs, inside_R, outside_R, points_R)


def _difference_of_means(
    runs: Runs, inside_R: Floats, outside_R: Floats, points_R: Floats
) -> Floats:
    length_R = runs.end_R - runs.start_R  # 0 where a lone point just reaches the threshold
    inner_R = np.divide(inside_R, length_R, out=np.zeros_like(inside_R), where=length_R > 0)
    outer_R = np.divide(outside_R, points_R, out=np.zeros_like(outside_R), where=points_R > 0)
    return inner_R - outer_R


def _sum_above_threshold(runs: Runs, inside_R: Floats, left_R: Floats, right_R: Floats) -> Floats:
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

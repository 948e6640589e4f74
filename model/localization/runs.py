"""Runs of a class activation sequence (CAS) above thresholds, and their outer-inner contrast.

All classes and thresholds of a video are processed together. Positions count points from 0 to N:
point i covers [i, i + 1), and its value belongs to the centre, i + 0.5.

Axes: P classes, N points in time, K thresholds, R runs.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Runs:
    """All maximal runs of points that reach a threshold, sorted by class, threshold and time."""

    row_R: Indices
    """Index of the class among the classes present."""
    level_R: Indices
    """Index of the threshold."""
    thresholds_K: NDArray[np.float32]
    """The thresholds, ascending."""
    start_R: Floats
    """Position of the start of the run."""
    end_R: Floats
    """Position of the end of the run."""
    cas_PN: NDArray[np.float32]
    """The scaled CAS."""
    integral_PN: Floats
    """Sum of all values before each whole position, (P, N + 1)."""

    def sum_between(self, start_R: Floats, end_R: Floats) -> Floats:
        """Returns the integral of the CAS of each run's class between two positions.

        The CAS is constant over a point. In the values 0.2, 0.8, 0.6, 0.1, the sum between the
        positions 1 and 2.7 is 0.8 + 0.7 * 0.6 = 1.22.
        """
        return self._sum_before(end_R) - self._sum_before(start_R)

    def _sum_before(self, position_R: Floats) -> Floats:
        points = self.cas_PN.shape[1]
        point_R = np.minimum(position_R.astype(np.intp), points - 1)
        whole_R = self.integral_PN.ravel()[self.row_R * (points + 1) + point_R]
        return whole_R + (position_R - point_R) * self.cas_PN.ravel()[self.row_R * points + point_R]


def find_runs(
    cas_PN: NDArray[np.float32], thresholds_K: NDArray[np.float32], *, exact: bool
) -> Runs:
    """Returns the runs of all thresholds, found in one pass over the points.

    The level of a point is the number of thresholds that it reaches. Between two neighbours, a run
    starts for each threshold by which the level rises, and ends for each by which it falls.

    For values 0.2, 0.8, 0.6, 0.1 and thresholds 0.5, 0.7, the levels are 0, 2, 1, 0. Two runs start
    between the first two points. Of these, the run above 0.7 ends after the second point, and the
    run above 0.5 after the third. The runs are [1, 3) above 0.5 and [1, 2) above 0.7. If `exact`,
    they are [1, 2.7) and [1.33, 2): the line from 0.8 at 1.5 to 0.6 at 2.5 meets 0.7 at 2.

    Args:
        cas_PN: the scaled CAS.
        thresholds_K: the thresholds, ascending, above 0.
        exact: whether a run starts and ends where the line between the centres of two points meets
            the threshold; otherwise between the points.
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
    """Returns the class, threshold and position of each crossing of a threshold, sorted by them.

    In the example of `find_runs`, the rises have the count 0, 2, 0, 0, 0 at the boundaries 0 to 4.
    They cross the thresholds 0 and 1 at boundary 1.

    Args:
        count: number of thresholds crossed between point i - 1 and point i, (P, N + 1).
        lowest_level: index of the lowest threshold crossed there, (P, N + 1).
        cas_PN: the scaled CAS.
        thresholds_K: the thresholds.
        exact: whether a crossing is where the line between the centres of two points meets the
            threshold; otherwise it is between the points.
    """
    points = cas_PN.shape[1]
    place = np.flatnonzero(count)
    repeats = count.ravel()[place]
    first = np.repeat(np.cumsum(repeats) - repeats, repeats)
    place = np.repeat(place, repeats)
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
    """Returns the outer-inner contrast of each run: its mean minus the mean of two outer windows.

    Beyond the ends of the video, a window has the value of the threshold. Otherwise a run that
    fills the video would have the highest contrast, because it has no outside.

    The run [1, 2.7) in the values 0.2, 0.8, 0.6, 0.1 has the sum 1.22 and the mean 0.718. With
    ratio 0.4, the windows are [0.32, 1) and [2.7, 3.38), with the sum 0.354 and the mean 0.260. The
    contrast is 0.457.
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
    """Returns the outer-inner contrast of the released code.

    The windows are cut at the ends of the video, and the right one is a point short. Values below
    the threshold of the run count as 0, and an empty window has the mean 0. For the run [1, 3)
    above 0.5 in the values 0.2, 0.8, 0.6, 0.1 and ratio 1, the windows are [0, 1) and [3, 4). Both
    are below 0.5, so the contrast is the mean of the run, 0.7.
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
    length_R = runs.end_R - runs.start_R  # 0 for a single point that just reaches the threshold
    inner_R = np.divide(inside_R, length_R, out=np.zeros_like(inside_R), where=length_R > 0)
    outer_R = np.divide(outside_R, points_R, out=np.zeros_like(outside_R), where=points_R > 0)
    return inner_R - outer_R


def _sum_above_threshold(runs: Runs, inside_R: Floats, left_R: Floats, right_R: Floats) -> Floats:
    """Returns the sum from left to right over the runs of the same class and threshold only."""
    # Runs are sorted by line, which is a class with a threshold, and by start within the line.
    before_R = np.cumsum(inside_R) - inside_R
    line_R = runs.row_R * len(runs.thresholds_K) + runs.level_R
    stride = runs.cas_PN.shape[1] + 1.0
    key_R = line_R * stride + runs.start_R

    def sum_up_to(position_R: Floats) -> Floats:
        """Returns the sum over all runs of earlier lines, and of the own line up to a position."""
        run_R = np.searchsorted(key_R, line_R * stride + position_R, side="right") - 1
        run_R = np.maximum(run_R, 0)
        start_R, end_R = runs.start_R[run_R], runs.end_R[run_R]
        cut_R = np.clip(position_R, start_R, end_R)
        part_R = runs.sum_between(start_R, cut_R)
        return before_R[run_R] + np.where(line_R[run_R] == line_R, part_R, inside_R[run_R])

    return sum_up_to(right_R) - sum_up_to(left_R)

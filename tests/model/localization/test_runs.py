"""Runs above thresholds and their contrasts, compared with worked examples and plain loops.

Axes: P classes, N points in time, K thresholds, R runs.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.localization.runs import Runs, contrast, find_runs, released_contrast

VALUES_N = (0.2, 0.8, 0.6, 0.1)
"""The example of the module."""
THRESHOLDS_K = np.array([0.5, 0.7], np.float32)
GRID = 20
"""The drawn values are multiples of 1 / 20, so equal neighbours and exact thresholds occur."""


def runs_of(*rows: tuple[float, ...], thresholds: object = THRESHOLDS_K, exact: bool) -> Runs:
    return find_runs(np.array(rows, np.float32), np.asarray(thresholds, np.float32), exact=exact)


def listed(runs: Runs) -> list[tuple[int, int, float, float]]:
    """Class, threshold, start and end of each run."""
    columns = runs.row_R, runs.level_R, runs.start_R, runs.end_R
    return list(zip(*(column.tolist() for column in columns), strict=True))


# Worked examples


def test_runs_between_points() -> None:
    """Values 0.2, 0.8, 0.6, 0.1: [1, 3) reaches 0.5, and [1, 2) reaches 0.7."""
    assert listed(runs_of(VALUES_N, exact=False)) == [(0, 0, 1.0, 3.0), (0, 1, 1.0, 2.0)]


def test_runs_end_where_the_line_between_centres_meets_the_threshold() -> None:
    """From 0.2 at 0.5 to 0.8 at 1.5, the line meets 0.5 at 1 and 0.7 at 1.33, and so on."""
    runs = runs_of(VALUES_N, exact=True)
    assert listed(runs) == [
        (0, 0, pytest.approx(1), pytest.approx(2.7)),
        (0, 1, pytest.approx(4 / 3), pytest.approx(2)),
    ]


@pytest.mark.parametrize("exact", [False, True])
def test_runs_at_the_ends_of_the_video_start_and_end_with_it(exact: bool) -> None:
    """Beyond the first and the last point there is nothing to interpolate to."""
    assert listed(runs_of((0.9, 0.8), exact=exact)) == [(0, 0, 0, 2), (0, 1, 0, 2)]
    assert listed(runs_of((0.6,), exact=exact)) == [(0, 0, 0, 1)]
    first, second = listed(runs_of((0.6, 0.1, 0.1, 0.6), exact=exact))
    assert (first[2], second[3]) == (0, 4)


@pytest.mark.parametrize("exact", [False, True])
def test_classes_come_one_after_another_each_with_its_thresholds(exact: bool) -> None:
    """The order is class, threshold, time; a class without runs is absent."""
    runs = runs_of((0.8, 0.1, 0.8), (0.1, 0.2, 0.1), (0.1, 0.6, 0.1), exact=exact)
    assert [run[:2] for run in listed(runs)] == [(0, 0), (0, 0), (0, 1), (0, 1), (2, 0)]
    assert runs.start_R[0] < runs.start_R[1]
    assert runs.start_R[2] < runs.start_R[3]


def test_a_value_that_equals_a_threshold_reaches_it() -> None:
    """A run goes on over such a point; a single one that is a peak has length 0."""
    assert listed(runs_of((0.25, 0.5, 0.25), thresholds=[0.5], exact=False)) == [(0, 0, 1, 2)]
    assert listed(runs_of((0.25, 0.5, 0.25), thresholds=[0.5], exact=True)) == [(0, 0, 1.5, 1.5)]
    assert listed(runs_of((0.25, 0.5, 0.75), thresholds=[0.5], exact=True)) == [(0, 0, 1.5, 3)]


def test_nothing_reaches_a_threshold() -> None:
    """The arrays are empty, and so are the contrasts."""
    runs = runs_of((0.1, 0.2), (0.3, 0.4), exact=True)
    assert listed(runs) == []
    assert contrast(runs, 0.4).tolist() == released_contrast(runs, 0.4).tolist() == []


def test_sum_between_takes_parts_of_points() -> None:
    """Between 1 and 2.7: 0.8 + 0.7 * 0.6 = 1.22; up to the end of the video: 1.7."""
    runs = runs_of(VALUES_N, thresholds=[0.5], exact=True)
    for start, end, expected in ((1, 2.7, 1.22), (0, 4, 1.7), (0.5, 0.75, 0.05), (4, 4, 0)):
        (got,) = runs.sum_between(np.array([start], float), np.array([end], float))
        assert got == pytest.approx(expected)


def test_sums_of_a_class_have_no_value_of_another() -> None:
    """Each run reads the row of its class, up to the last point."""
    runs = runs_of((0.6, 0.1, 0.9), (0.7, 0.2, 0.8), thresholds=[0.5], exact=False)
    sums_R = runs.sum_between(np.array([0.0, 1.0, 0.0, 2.5]), np.array([3.0, 3.0, 2.0, 3.0]))
    assert sums_R == pytest.approx([1.6, 1.0, 0.9, 0.4])


def test_contrast_of_the_example() -> None:
    """Run [1, 2.7), ratio 0.4: mean 0.718 inside, 0.260 outside."""
    runs = runs_of(VALUES_N, thresholds=[0.5], exact=True)
    inner = (0.8 + 0.7 * 0.6) / 1.7
    outer = (0.68 * 0.2 + 0.3 * 0.6 + 0.38 * 0.1) / 1.36
    assert contrast(runs, 0.4) == pytest.approx([inner - outer])
    assert inner - outer == pytest.approx(0.457, abs=1e-3)


def test_windows_beyond_the_video_have_the_value_of_the_threshold() -> None:
    """A run that fills the video: mean 0.7 inside, and the threshold 0.5 outside."""
    assert contrast(runs_of((0.8, 0.6), thresholds=[0.5], exact=True), 1.0) == pytest.approx([0.2])
    left = runs_of((0.8, 0.6, 0.1, 0.3), thresholds=[0.5], exact=False)  # [0, 2)
    assert contrast(left, 1.0) == pytest.approx([0.7 - (2 * 0.5 + 0.1 + 0.3) / 4])
    right = runs_of((0.3, 0.1, 0.6, 0.8), thresholds=[0.5], exact=False)  # [2, 4)
    assert contrast(right, 1.0) == pytest.approx(contrast(left, 1.0))


def test_a_run_without_length_has_the_contrast_0() -> None:
    """A peak that just reaches the threshold; localization drops it."""
    runs = runs_of((0.25, 0.5, 0.25), thresholds=[0.5], exact=True)
    assert contrast(runs, 0.4).tolist() == released_contrast(runs, 0.4).tolist() == [0]


def test_without_windows_the_contrast_is_the_mean_of_the_run() -> None:
    """Ratio 0 gives empty windows, whose mean counts as 0."""
    runs = runs_of(VALUES_N, thresholds=[0.5], exact=False)
    assert contrast(runs, 0) == pytest.approx([0.7])
    assert released_contrast(runs, 0) == pytest.approx([0.7])


def test_released_contrast_counts_only_values_that_reach_the_threshold() -> None:
    """Run [1, 3) with ratio 1: both windows are below 0.5 and count as 0."""
    assert released_contrast(runs_of(VALUES_N, thresholds=[0.5], exact=False), 1.0) == (
        pytest.approx([0.7])
    )
    # [0, 2), [3, 4), [5, 6): the windows of the middle run are [2, 3) and, a point short, nothing.
    row = (0.8, 0.6, 0.1, 0.9, 0.2, 0.7)
    runs = runs_of(row, thresholds=[0.5], exact=False)
    assert listed(runs) == [(0, 0, 0, 2), (0, 0, 3, 4), (0, 0, 5, 6)]
    assert released_contrast(runs, 1.0) == pytest.approx([0.7, 0.9, 0.7])
    # With ratio 2: [0, 2) has [2, 5) with 0.9; [3, 4) has [1, 3) and [4, 5) with 0.6;
    # [5, 6) has [3, 5) with 0.9, and nothing after it.
    expected = [0.7 - 0.9 / 3, 0.9 - 0.6 / 3, 0.7 - 0.9 / 2]
    assert released_contrast(runs, 2.0) == pytest.approx(expected)


# Properties


def plain_runs(
    values_N: np.ndarray, thresholds_K: np.ndarray, *, exact: bool
) -> list[tuple[int, float, float]]:
    """One threshold and one point at a time: threshold, start and end of each run."""
    found = []
    for level, threshold in enumerate(thresholds_K.tolist()):
        start = None
        for point in range(len(values_N) + 1):
            reaches = point < len(values_N) and values_N[point] >= threshold
            if reaches == (start is not None):
                continue
            border = float(point)
            if exact and 0 < point < len(values_N):
                before, after = float(values_N[point - 1]), float(values_N[point])
                border = point - 0.5 + (threshold - before) / (after - before)
            if reaches:
                start = border
            else:
                assert start is not None
                found.append((level, start, border))
                start = None
    return found


def plain_integral(values_N: np.ndarray, start: float, end: float) -> float:
    """The sum over the parts of all points between two positions."""
    parts = (max(0.0, min(end, n + 1) - max(start, n)) * v for n, v in enumerate(values_N.tolist()))
    return sum(parts)


def plain_contrast(
    values_N: np.ndarray, threshold: float, start: float, end: float, ratio: float
) -> float:
    """The mean of the run minus that of both windows, which go on beyond the video."""
    window, points = ratio * (end - start), len(values_N)
    if end == start:
        return 0.0
    padded_N = np.concatenate([[threshold] * points * 3, values_N, [threshold] * points * 3])
    left, right = start + 3 * points, end + 3 * points
    outside = plain_integral(padded_N, left - window, left)
    outside += plain_integral(padded_N, right, right + window)
    inner = plain_integral(values_N, start, end) / (end - start)
    return inner - (outside / (2 * window) if window else 0)


def plain_released(
    values_N: np.ndarray, threshold: float, first: int, stop: int, ratio: float
) -> float:
    """The contrast of the released code, for runs between points."""
    kept_N = np.where(values_N >= threshold, values_N, 0).astype(np.float64)
    length = stop - first
    left = max(0, int(np.floor(first - ratio * length)))
    right = min(len(values_N), int(stop - 1 + ratio * length))
    outside = np.concatenate([kept_N[left:first], kept_N[stop:right]])
    return float(kept_N[first:stop].mean() - (outside.mean() if len(outside) else 0))


grids = st.lists(st.integers(0, GRID), min_size=1, max_size=25)
levels = st.sets(st.integers(1, GRID), min_size=1, max_size=5)
ratios = st.sampled_from([0.0, 0.25, 0.4, 1.0, 2.5])


def drawn(rows: list[list[int]], thresholds: set[int], *, exact: bool) -> Runs:
    """The runs of drawn rows, cut to one length."""
    points = min(map(len, rows))
    cas_PN = np.array([row[:points] for row in rows], np.float32) / np.float32(GRID)
    thresholds_K = np.array(sorted(thresholds), np.float32) / np.float32(GRID)
    return find_runs(cas_PN, thresholds_K, exact=exact)


@settings(max_examples=80, deadline=None)
@given(st.lists(grids, min_size=1, max_size=3), levels, st.booleans())
def test_runs_equal_those_of_a_plain_loop(
    rows: list[list[int]], thresholds: set[int], exact: bool
) -> None:
    """Of all classes and thresholds, in the same order; starts never come after ends."""
    runs = drawn(rows, thresholds, exact=exact)
    expected = [
        (class_, *run)
        for class_, values_N in enumerate(runs.cas_PN)
        for run in plain_runs(values_N, runs.thresholds_K, exact=exact)
    ]
    got = listed(runs)
    assert [run[:2] for run in got] == [run[:2] for run in expected]
    np.testing.assert_allclose(
        [run[2:] for run in got] or [[]], [run[2:] for run in expected] or [[]], atol=1e-5
    )
    assert (runs.start_R <= runs.end_R).all()


@settings(max_examples=80, deadline=None)
@given(st.lists(grids, min_size=1, max_size=3), levels, ratios, st.booleans())
def test_contrast_equals_that_of_a_plain_loop(
    rows: list[list[int]], thresholds: set[int], ratio: float, exact: bool
) -> None:
    """With values beyond the ends of the video where a window reaches there."""
    runs = drawn(rows, thresholds, exact=exact)
    expected = [
        plain_contrast(runs.cas_PN[class_], float(runs.thresholds_K[level]), start, end, ratio)
        for class_, level, start, end in listed(runs)
    ]
    np.testing.assert_allclose(contrast(runs, ratio), expected, atol=1e-5)


@settings(max_examples=80, deadline=None)
@given(st.lists(grids, min_size=1, max_size=3), levels, ratios)
def test_released_contrast_equals_that_of_a_plain_loop(
    rows: list[list[int]], thresholds: set[int], ratio: float
) -> None:
    """Windows begin and end at points, are cut at the ends of the video, and see only runs."""
    runs = drawn(rows, thresholds, exact=False)
    expected = [
        plain_released(
            runs.cas_PN[class_], float(runs.thresholds_K[level]), int(start), int(end), ratio
        )
        for class_, level, start, end in listed(runs)
    ]
    np.testing.assert_allclose(released_contrast(runs, ratio), expected, atol=1e-5)


@pytest.mark.parametrize("score", [contrast, released_contrast])
def test_contrasts_of_a_class_do_not_depend_on_the_others(
    score: Callable[[Runs, float], np.ndarray],
) -> None:
    """Alone or beside other classes, a class has the same runs with the same contrasts."""
    cas_PN = np.random.default_rng(0).random((4, 30)).astype(np.float32)
    together = find_runs(cas_PN, THRESHOLDS_K, exact=False)
    for class_, values_N in enumerate(cas_PN):
        alone = find_runs(values_N[None], THRESHOLDS_K, exact=False)
        own = together.row_R == class_
        np.testing.assert_allclose(score(together, 0.4)[own], score(alone, 0.4), atol=1e-6)

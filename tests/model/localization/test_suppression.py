"""Non-maximum suppression, compared with plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.localization.suppression import SOFT_NMS_FLOOR, Nms, suppress
from model.segments import temporal_iou


def draw(seed: int, segments: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 20, segments)
    return (
        start,
        start + rng.uniform(0.1, 8, segments),
        rng.random(segments),
        rng.integers(0, 2, segments),
    )


def call(
    start: np.ndarray, end: np.ndarray, score: np.ndarray, group: np.ndarray, nms: Nms
) -> tuple[np.ndarray, np.ndarray]:
    return suppress(start, end, score, group_R=group, nms=nms, iou=0.3, sigma=0.5)


def tious(start: np.ndarray, end: np.ndarray, group: np.ndarray) -> np.ndarray:
    times = np.stack([start, end], axis=1)
    return np.where(group[:, None] == group[None], temporal_iou(times[:, None], times), 0)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40))
def test_greedy_in_rounds_equals_the_greedy_loop(seed: int, segments: int) -> None:
    """The loop takes segments best first and drops those that overlap too much."""
    start, end, score, group = draw(seed, segments)
    overlap = tious(start, end, group)
    expected: list[int] = []
    for index in np.argsort(-score, kind="stable"):
        if all(overlap[index, kept] < 0.3 for kept in expected):
            expected.append(int(index))
    kept, kept_score = call(start, end, score, group, "greedy")
    assert kept.tolist() == expected
    assert kept_score.tolist() == score[expected].tolist()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40))
def test_soft_equals_the_soft_nms_loop(seed: int, segments: int) -> None:
    """The loop takes the best remaining segment and decays all others by their overlap with it."""
    start, end, score, group = draw(seed, segments)
    overlap, left, expected = tious(start, end, group), score.copy(), []
    for _ in range(segments):
        best = int(left.argmax())
        if left[best] < SOFT_NMS_FLOOR:
            break
        expected.append((best, left[best]))
        left *= np.exp(-(overlap[best] ** 2) / 0.5)
        left[[index for index, _ in expected]] = -1
    kept, kept_score = call(start, end, score, group, "soft")
    assert kept.tolist() == [index for index, _ in expected]
    np.testing.assert_allclose(kept_score, [value for _, value in expected], rtol=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40))
def test_fast_soft_decays_by_all_better_segments(seed: int, segments: int) -> None:
    """The decay is the product over all better segments."""
    start, end, score, group = draw(seed, segments)
    better = score[:, None] > score[None]
    decay = np.exp(-np.where(better, tious(start, end, group) ** 2, 0) / 0.5).prod(axis=0)
    kept, kept_score = call(start, end, score, group, "fast-soft")
    expected = score * decay
    assert kept_score.tolist() == sorted(kept_score, reverse=True)
    np.testing.assert_allclose(kept_score, expected[kept], rtol=1e-9)
    assert set(kept) == set(np.flatnonzero(expected >= SOFT_NMS_FLOOR))


@pytest.mark.parametrize("nms", ["greedy", "soft", "fast-soft", "none"])
def test_no_segments_stay_none(nms: Nms) -> None:
    """Without segments, the result is empty."""
    nothing = np.empty(0)
    kept, score = call(nothing, nothing, nothing, np.empty(0, dtype=np.intp), nms)
    assert (len(kept), len(score)) == (0, 0)


def test_released_lengths_join_disjoint_segments() -> None:
    """With the released "+ 1", two disjoint segments of 0.6 s have a tIoU of 0.39."""
    start, end = np.array([0.0, 0.7]), np.array([0.6, 1.3])
    group, score = np.zeros(2, dtype=np.intp), np.array([1.0, 0.5])
    options = {"group_R": group, "nms": "greedy", "iou": 0.39, "sigma": 0.5}
    assert len(suppress(start, end, score, **options, pixel_s=1.0)[0]) == 1  # type: ignore[arg-type]
    assert len(suppress(start, end, score, **options)[0]) == 2  # type: ignore[arg-type]


def test_many_equal_scores_keep_their_order() -> None:
    """Segments that tie come out as they went in; below 17 values every sort is stable."""
    start = np.arange(200.0)
    zeros = np.zeros(200, dtype=np.intp)
    for nms in ("greedy", "soft", "fast-soft", "none"):
        kept, _ = call(start, start + 0.5, np.full(200, 0.7), zeros, nms)  # type: ignore[arg-type]
        assert kept.tolist() == list(range(200))


@pytest.mark.parametrize("nms", ["greedy", "soft", "fast-soft"])
def test_too_many_overlaps_leave_the_best_of_each_group(
    nms: Nms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best 10 of each group are compared as if there were no others."""
    start, _, score, group = draw(4, 200)
    end = start + 30
    ranks = np.argsort(-score)
    best = np.concatenate([ranks[group[ranks] == number][:10] for number in (0, 1)])
    expected, expected_score = call(start[best], end[best], score[best], group[best], nms)
    monkeypatch.setattr("model.localization.suppression.MAX_PAIRS", 100)
    monkeypatch.setattr("model.localization.suppression.DENSE_SEGMENTS", 10)
    kept, kept_score = call(start, end, score, group, nms)
    assert kept.tolist() == best[expected].tolist()
    np.testing.assert_allclose(kept_score, expected_score)

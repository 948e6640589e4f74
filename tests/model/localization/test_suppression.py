"""Non-maximum suppression, compared with plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.localization.suppression import (
    DENSE_SEGMENTS,
    MAX_PAIRS,
    SOFT_NMS_FLOOR,
    Nms,
    suppress,
)
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


EXAMPLE = np.array([[0, 4, 0.9], [1, 5, 0.8], [2, 6, 0.7], [6, 8, 0.6]], float).T
"""Starts, ends and scores of the module's example."""


@pytest.mark.parametrize(
    ("nms", "expected"),
    [
        ("greedy", {0: 0.9, 2: 0.7, 3: 0.6}),
        (
            "soft",
            {
                0: 0.9,
                3: 0.6,
                2: 0.7 * np.exp(-((1 / 3) ** 2) / 0.5),
                1: 0.8 * np.exp(-2 * 0.6**2 / 0.5),
            },
        ),
        (
            "fast-soft",
            {
                0: 0.9,
                3: 0.6,
                1: 0.8 * np.exp(-(0.6**2) / 0.5),
                2: 0.7 * np.exp(-(0.6**2 + (1 / 3) ** 2) / 0.5),
            },
        ),
        ("none", {0: 0.9, 1: 0.8, 2: 0.7, 3: 0.6}),
    ],
)
def test_the_example_of_the_module(nms: Nms, expected: dict[int, float]) -> None:
    """Best first, with the scores after the decay."""
    start, end, score = EXAMPLE
    one_group = np.zeros(4, dtype=np.intp)
    kept, kept_score = suppress(start, end, score, group_R=one_group, nms=nms, iou=0.5, sigma=0.5)
    assert kept.tolist() == list(expected)
    np.testing.assert_allclose(kept_score, list(expected.values()), atol=1e-4)


def test_greedy_drops_from_the_threshold_on() -> None:
    """A tIoU of exactly the threshold is a conflict."""
    start, end, group = np.array([0.0, 0.0]), np.array([2.0, 1.0]), np.zeros(2, dtype=np.intp)
    for iou, count in ((0.5, 1), (0.5001, 2)):
        kept, _ = suppress(
            start, end, np.array([0.9, 0.8]), group_R=group, nms="greedy", iou=iou, sigma=1.0
        )
        assert len(kept) == count


@pytest.mark.parametrize("nms", ["soft", "fast-soft"])
def test_scores_below_the_floor_are_dropped(nms: Nms) -> None:
    """A score of exactly the floor stays, decayed or not."""
    start = np.array([0.0, 10.0, 20.0])
    score = np.array([0.5, SOFT_NMS_FLOOR, np.nextafter(SOFT_NMS_FLOOR, 0)])
    kept, kept_score = call(start, start + 1, score, np.zeros(3, dtype=np.intp), nms)
    assert kept.tolist() == [0, 1]
    assert kept_score.tolist() == score[:2].tolist()


@pytest.mark.parametrize("pixel_s", [0.0, 1.0, 5.0])
def test_groups_never_meet(pixel_s: float) -> None:
    """Equal segments of two groups stay, however long a pixel is."""
    start, score = np.array([3.0, 3.0, 9.0, 9.0]), np.array([0.9, 0.8, 0.7, 0.6])
    group = np.array([0, 1, 0, 1])
    kept, kept_score = suppress(
        start, start + 2, score, group_R=group, nms="greedy", iou=1e-9, sigma=1.0, pixel_s=pixel_s
    )
    assert kept.tolist() == ([0, 1, 2, 3] if pixel_s < 4 else [0, 1])
    assert kept_score.tolist() == score[kept].tolist()


def test_segments_that_touch_do_not_overlap() -> None:
    """With any threshold above 0."""
    start, group = np.array([0.0, 2.0, 4.0]), np.zeros(3, dtype=np.intp)
    score = np.array([0.9, 0.8, 0.7])
    for nms in ("greedy", "soft", "fast-soft"):
        kept, kept_score = suppress(
            start, start + 2, score, group_R=group, nms=nms, iou=1e-9, sigma=1e-3
        )  # type: ignore[arg-type]
        assert (kept.tolist(), kept_score.tolist()) == ([0, 1, 2], score.tolist())


@pytest.mark.parametrize("nms", ["greedy", "soft", "fast-soft", "none"])
def test_segments_without_length_overlap_nothing(nms: Nms) -> None:
    """Not even each other, nor a segment that contains them."""
    start, end = np.array([1.0, 1.0, 0.0]), np.array([1.0, 1.0, 2.0])
    score, group = np.array([0.9, 0.8, 0.7]), np.zeros(3, dtype=np.intp)
    kept, kept_score = call(start, end, score, group, nms)
    assert (kept.tolist(), kept_score.tolist()) == ([0, 1, 2], score.tolist())


def test_the_bound_on_pairs_is_far_above_what_videos_have() -> None:
    """Two million pairs; then a thousand segments of each group, at most half a million pairs."""
    assert (MAX_PAIRS, DENSE_SEGMENTS) == (2_097_152, 1000)
    assert DENSE_SEGMENTS * (DENSE_SEGMENTS - 1) // 2 < 2**19


def test_as_many_pairs_as_allowed_are_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three equal segments form three pairs; a bound of two leaves the best one."""
    same, score = np.zeros(3), np.array([0.9, 0.8, 0.7])
    monkeypatch.setattr("model.localization.suppression.DENSE_SEGMENTS", 1)
    for bound, count in ((3, 3), (2, 1)):
        monkeypatch.setattr("model.localization.suppression.MAX_PAIRS", bound)
        kept, _ = suppress(
            same, same + 1, score, group_R=np.zeros(3, dtype=np.intp), nms="soft", iou=0, sigma=1.0
        )
        assert len(kept) == count

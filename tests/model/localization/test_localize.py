"""Localization, compared with the released code and with plain loops."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import OptionError
from model.localization.localize import (
    LocalizationConfig,
    activate,
    class_scores,
    localize,
    normalise,
)
from model.segments import Segment

GOLDEN = ["thumos14_a", "thumos14_b", "activitynet13"]


@pytest.mark.parametrize("name", GOLDEN)
def test_released_protocol_equals_the_released_code(
    name: str, shared: Callable[[str], Path]
) -> None:
    """Segments and their order are those of the reference implementation.

    Class scores come from the CAS (top-k ratio 1/8): `class_probabilities` in the file are the
    presence of the classes, while its scores were computed with their softmax.
    """
    golden = json.loads(shared(f"golden/segments_{name}.json").read_text())
    cas_TC = np.load(shared(f"golden/segments_{name}.npz"))["cas_logits_TC"]
    found = localize(
        cas_TC,
        class_scores(cas_TC, 1 / 8),
        labels=[f"class_{index:03d}" for index in range(cas_TC.shape[1])],
        duration_s=golden.get("duration_s") or golden["frames"] / golden["fps"],
        config=LocalizationConfig(protocol="released", nms="greedy", **golden["settings"]),
        frames=golden["frames"],
    )
    # The released code lists class after class; ours is best first over all classes.
    expected = sorted(golden["segments"], key=lambda segment: -segment["score"])
    assert [s.label for s in found] == [s["label"] for s in expected]
    for key, tolerance in (("start_s", 1e-6), ("end_s", 1e-6), ("score", 1e-5)):
        got = [getattr(segment, key) for segment in found]
        np.testing.assert_allclose(got, [s[key] for s in expected], rtol=0, atol=tolerance)


def released_by_loops(cas_NC: np.ndarray, config: LocalizationConfig) -> list[Segment]:
    """The released post-processing, literally: one threshold and one run at a time, without NMS."""
    found = []
    points = len(cas_NC)
    for class_, column in enumerate(normalise(cas_NC).T):
        for threshold in config.cas_thresholds_K:
            kept = np.where(column < threshold, 0, column).astype(np.float64)
            inside = np.concatenate([[0], kept > 0, [0]])
            starts, ends = np.flatnonzero(np.diff(inside) > 0), np.flatnonzero(np.diff(inside) < 0)
            for first, stop in zip(starts, ends, strict=True):
                length, last = stop - first, stop - 1
                left = max(0, int(first - config.outer_ratio * length))
                right = min(points, int(last + config.outer_ratio * length))
                outside = np.concatenate([kept[left:first], kept[stop:right]])
                score = kept[first:stop].mean() - (outside.mean() if len(outside) else 0)
                found.append(Segment(float(first), float(stop), str(class_), float(score)))
    return sorted(found, key=lambda segment: -segment.score)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_all_thresholds_at_once_equal_one_by_one(points: int, seed: int) -> None:
    """The vectorised runs and contrasts equal those of plain loops, on any sequence."""
    cas_TC = np.random.default_rng(seed).standard_normal((points, 2)).astype(np.float32)
    config = LocalizationConfig(
        protocol="released", class_threshold=0, cas_threshold_min=0, class_score_weight=0,
        nms="none",
    )  # fmt: skip
    found = localize(
        cas_TC, np.ones(2), labels="01", duration_s=points, config=config, frames=points
    )
    expected = released_by_loops(cas_TC, config)
    key = lambda s: (s.label, round(s.start_s), round(s.end_s), round(s.score, 6))  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, expected))


def test_a_trapezoid_is_found_where_its_flanks_cross_the_threshold() -> None:
    """Start and end are between snippets, exactly on the line through their centres."""
    cas_TC = np.array([0, 0, 1, 1, 0, 0], dtype=np.float32)[:, None]
    config = LocalizationConfig(
        cas_threshold_min=0.25, cas_threshold_max=0.3, class_score_weight=0, nms="none"
    )
    (segment,) = localize(cas_TC, np.ones(1), labels=["a"], duration_s=12.0, config=config)
    assert (segment.start_s, segment.end_s) == pytest.approx((2 * 1.75, 2 * 4.25))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 50), st.integers(0, 10_000))
def test_time_reversed_video_has_reversed_segments(points: int, seed: int) -> None:
    """The corrected protocol is symmetric: windows and crossings prefer no direction."""
    cas_TC = np.random.default_rng(seed).standard_normal((points, 1)).astype(np.float32)
    config = LocalizationConfig(nms="none")
    forward = localize(cas_TC, np.ones(1), labels="a", duration_s=points, config=config)
    backward = localize(cas_TC[::-1], np.ones(1), labels="a", duration_s=points, config=config)
    mirrored = [(points - s.end_s, points - s.start_s, s.score) for s in backward]
    found = [(s.start_s, s.end_s, s.score) for s in forward]
    np.testing.assert_allclose(sorted(found), sorted(mirrored), atol=1e-5)


@pytest.mark.parametrize("protocol", ["corrected", "released"])
@pytest.mark.parametrize("snippets", [1, 2, 7])
def test_segments_stay_inside_the_video_and_have_a_length(protocol: str, snippets: int) -> None:
    """In any video, however short, 0 <= start < end <= duration."""
    cas_TC = np.random.default_rng(0).random((snippets, 3)).astype(np.float32)
    config = LocalizationConfig(protocol=protocol, class_threshold=0.0)  # type: ignore[arg-type]
    for segment in localize(cas_TC, np.ones(3), labels="abc", duration_s=3.0, config=config):
        assert 0 <= segment.start_s < segment.end_s <= 3.0 + 1e-9


def test_no_class_above_tau_gives_an_empty_list() -> None:
    """There is no fallback to the best class."""
    cas_TC = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    scores = np.array([0.2, 0.2, 0.2])
    config = LocalizationConfig(class_threshold=0.25)
    assert localize(cas_TC, scores, labels="abc", duration_s=5, config=config) == []


@pytest.mark.parametrize("value", [0.0, -3.0, 5.0])
def test_constant_sequence_has_no_segments(value: float) -> None:
    """Without a rise over time, there is no run above any threshold."""
    cas_TC = np.full((20, 1), value, dtype=np.float32)
    config = LocalizationConfig()
    assert localize(cas_TC, np.ones(1), labels="a", duration_s=5, config=config) == []


def test_limits_keep_the_best() -> None:
    """`max_segments` and `min_score` cut the tail of the full list."""
    cas_TC = np.random.default_rng(3).random((80, 2)).astype(np.float32)
    full = localize(cas_TC, np.ones(2), labels="ab", duration_s=9, config=LocalizationConfig())
    assert [s.score for s in full] == sorted((s.score for s in full), reverse=True)
    some = LocalizationConfig(max_segments=3)
    assert localize(cas_TC, np.ones(2), labels="ab", duration_s=9, config=some) == full[:3]
    cut = LocalizationConfig(min_score=full[4].score)
    assert localize(cas_TC, np.ones(2), labels="ab", duration_s=9, config=cut) == full[:5]


@pytest.mark.parametrize(
    "values",
    [
        {"class_threshold": 1.5},
        {"nms_iou": -0.1},
        {"cas_threshold_step": 0.0},
        {"cas_threshold_min": 0.5, "cas_threshold_max": 0.5},
        {"outer_ratio": -1.0},
        {"soft_nms_sigma": 0.0},
        {"max_segments": -1},
        {"class_threshold": float("nan")},
        {"min_score": float("nan")},
        {"min_score": 7.0},
        {"outer_ratio": float("inf")},
        {"soft_nms_sigma": float("inf")},
        {"class_score_weight": -0.1},
        {"cas_threshold_max": float("inf")},
        {"cas_threshold_step": 1e-9},
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float]) -> None:
    """The message names the setting and its value."""
    with pytest.raises(OptionError, match=next(iter(values))):
        LocalizationConfig(**values)  # type: ignore[arg-type]


def test_probability_scale_means_the_same_in_every_video() -> None:
    """A weak video is not stretched to full height, so its segments have lower scores."""
    config = LocalizationConfig(cas_scale="probability", class_threshold=0.0)
    strong_TC = np.full((40, 1), -4, np.float32)
    strong_TC[10:20] = 4
    weak_TC = np.where(strong_TC > 0, np.float32(-1), strong_TC)

    def read(cas_TC: np.ndarray) -> list[Segment]:
        scores_C = class_scores(cas_TC, 1 / 8, activation="sigmoid")
        return localize(cas_TC, scores_C, labels=["a"], duration_s=40.0, config=config)

    best, weak = read(strong_TC)[0], read(weak_TC)[0]
    assert (best.start_s, best.end_s) == pytest.approx((10, 20), abs=0.5)
    assert best.score > 0.9 > 0.5 > weak.score
    assert read(np.full((40, 1), -6, np.float32)) == []


def test_lone_point_that_just_reaches_the_threshold_is_no_segment() -> None:
    """The run of such a point has length 0, and a segment lasts; just above, it is found."""
    cas_TC = np.full((9, 1), -9, np.float32)
    config = LocalizationConfig(
        cas_scale="probability", class_threshold=0.0, cas_threshold_min=0.5, nms="none"
    )
    for peak, expected in ((0.0, 0), (0.01, 1)):  # a probability of 0.5 is one of the thresholds
        cas_TC[4] = peak
        found = localize(cas_TC, np.ones(1), labels=["a"], duration_s=9.0, config=config)
        assert len(found) == expected
        assert all(segment.start_s < segment.end_s for segment in found)


def corrected_by_loops(cas_NC: np.ndarray, config: LocalizationConfig) -> list[Segment]:
    """The corrected protocol, one threshold and one run at a time, without NMS."""
    found = []
    points = len(cas_NC)

    def integral(values: np.ndarray, start: float, end: float) -> float:
        """Returns the integral of a sequence that is constant over each point."""
        overlaps = [max(0.0, min(end, i + 1) - max(start, i)) for i in range(points)]
        return float(np.dot(overlaps, values))

    for class_, column in enumerate(normalise(cas_NC).T.astype(np.float64)):
        for threshold in config.cas_thresholds_K.astype(np.float64):
            inside = np.concatenate([[0], column >= threshold, [0]])
            first = np.flatnonzero(np.diff(inside) > 0)
            stop = np.flatnonzero(np.diff(inside) < 0)
            for left, right in zip(first, stop, strict=True):
                start, end = float(left), float(right)
                if left > 0:
                    part = (threshold - column[left - 1]) / (column[left] - column[left - 1])
                    start = left - 0.5 + part
                if right < points:
                    part = (threshold - column[right - 1]) / (column[right] - column[right - 1])
                    end = right - 0.5 + part
                window = config.outer_ratio * (end - start)
                outside = integral(column, start - window, start)
                outside += integral(column, end, end + window)
                beyond = max(0, window - start) + max(0, end + window - points)
                outer = (outside + beyond * threshold) / (2 * window)
                score = integral(column, start, end) / (end - start) - outer
                found.append(Segment(start, end, str(class_), score))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10_000))
def test_corrected_protocol_equals_plain_loops(points: int, seed: int) -> None:
    """Windows on both sides have the same length, and count as the threshold beyond the ends."""
    cas_TC = np.random.default_rng(seed).standard_normal((points, 2)).astype(np.float32)
    config = LocalizationConfig(class_threshold=0, class_score_weight=0, nms="none")
    found = localize(cas_TC, np.ones(2), labels="01", duration_s=points, config=config)
    key = lambda s: (s.label, round(s.start_s, 3), round(s.end_s, 3))  # noqa: E731
    expected = sorted(corrected_by_loops(cas_TC, config), key=key)
    assert list(map(key, sorted(found, key=key))) == list(map(key, expected))
    scores = [s.score for s in sorted(found, key=key)]
    np.testing.assert_allclose(scores, [s.score for s in expected], atol=2e-4)


def test_window_beyond_the_start_of_a_video_counts_as_the_threshold() -> None:
    """By hand: values 1, 1, 0, 0 at 0.5 give the run [0, 2); its windows of 1 hold 0.5 and 0."""
    cas_TC = np.array([1, 1, 0, 0], dtype=np.float32)[:, None]
    config = LocalizationConfig(
        cas_threshold_min=0.5, cas_threshold_max=0.52, outer_ratio=0.5, class_score_weight=0,
        nms="none",
    )  # fmt: skip
    (segment,) = localize(cas_TC, np.ones(1), labels=["a"], duration_s=4.0, config=config)
    assert segment == Segment(0.0, 2.0, "a", 1 - (0.5 + 0) / 2)


def test_sigmoid_is_exact_from_end_to_end() -> None:
    """It equals 1 / (1 + exp(-x))."""
    logits = np.array([-40.0, -2.0, 0.0, 2.0, 40.0])
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(activate(logits, "sigmoid"), expected, rtol=0, atol=1e-12)


def test_softmax_is_over_the_last_axis() -> None:
    """Each row of logits by itself."""
    logits_TC = np.log([[1.0, 3.0], [2.0, 2.0]])
    np.testing.assert_allclose(activate(logits_TC, "softmax"), [[0.25, 0.75], [0.5, 0.5]])


def test_classes_without_a_positive_logit_or_a_rise_are_not_scaled() -> None:
    """Negative logits stay what they are, and a constant class becomes 0."""
    cas_TC = np.array([[-3, 5], [-1, 5]], np.float32)
    assert normalise(cas_TC).tolist() == [[-3, 0], [-1, 0]]


def test_documented_defaults() -> None:
    """A change of these numbers changes the results of every model without settings of its own."""
    assert asdict(LocalizationConfig()) == {
        "protocol": "corrected",
        "cas_scale": "video",
        "class_threshold": 0.25,
        "cas_threshold_min": 0.05,
        "cas_threshold_max": 0.95,
        "cas_threshold_step": 0.05,
        "outer_ratio": 0.4,
        "class_score_weight": 0.15,
        "nms": "fast-soft",
        "nms_iou": 0.6,
        "soft_nms_sigma": 0.5,
        "min_score": None,
        "max_segments": None,
    }


def test_ends_of_each_range_are_allowed() -> None:
    """0 and 1 are thresholds, and `max_segments` 0 gives an empty list."""
    cas_TC = np.random.default_rng(3).random((80, 2)).astype(np.float32)
    for limit in (0.0, 1.0):
        LocalizationConfig(class_threshold=limit, nms_iou=limit)
    none = LocalizationConfig(max_segments=0)
    assert localize(cas_TC, np.ones(2), labels="ab", duration_s=9, config=none) == []


@pytest.mark.parametrize("protocol", ["corrected", "released"])
@pytest.mark.parametrize("duration_s", [0.001, 30.0])
def test_blocks_of_classes_equal_all_classes_at_once(
    protocol: str, duration_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each class is independent of the others."""
    cas_TC = np.random.default_rng(5).standard_normal((30, 5)).astype(np.float32)
    config = LocalizationConfig(protocol=protocol, class_threshold=0.0, max_segments=40)  # type: ignore[arg-type]

    def read() -> list[Segment]:
        return localize(cas_TC, np.ones(5), labels="abcde", duration_s=duration_s, config=config)

    whole = read()
    monkeypatch.setattr("model.localization.localize.BLOCK_POINTS", 60)
    assert read() == whole


def test_a_tiny_duration_costs_no_more_than_a_long_one() -> None:
    """The released "+ 1" then joins all runs of a class, whose pairs are bounded."""
    cas_TC = np.tile(np.array([[-1.0], [1.0]], np.float32), (3000, 1))
    cas_TC += np.random.default_rng(0).random(cas_TC.shape, np.float32)
    config = LocalizationConfig(protocol="released", nms="greedy", class_threshold=0.0)
    tracemalloc.start()
    try:
        found = localize(cas_TC, np.ones(1), labels="a", duration_s=0.001, config=config)
        assert tracemalloc.get_traced_memory()[1] < 300e6
    finally:
        tracemalloc.stop()
    assert len(found) == 1  # all the others overlap the best


def test_localization_can_be_ended_between_classes() -> None:
    """The error that ends it passes through; the classes before took no more than their time."""
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise InterruptedError

    cas_TC = np.random.default_rng(0).random((40, 9)).astype(np.float32)
    config = LocalizationConfig(protocol="released", class_threshold=0.0)
    with pytest.raises(InterruptedError):
        localize(cas_TC, np.ones(9), labels="a" * 9, duration_s=9, config=config, check=check)
    assert len(calls) == 3
    calls.extend([1])
    localize(cas_TC, np.ones(9), labels="a" * 9, duration_s=9, config=config, check=check)
    assert len(calls) == 4 + 9, "the released protocol localizes one class at a time"

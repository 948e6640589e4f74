import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import DataError
from model.segments import Segment, temporal_iou
from training.datasets.annotations import read_annotations
from training.datasets.result_file import read_detections
from training.measurement.metrics import (
    FrameAccuracy,
    average_precision,
    detection_score,
    rank_detections,
    tagging_ap,
    tagging_map,
    tiou_range,
)


def test_metric_equals_the_official_evaluator(shared: Callable[[str], Path]) -> None:
    """Result file of a published method on THUMOS14, at every threshold, to 1e-6."""
    expected = json.loads(shared("golden/evaluator/expected.json").read_text())
    videos = read_annotations(shared("data/thumos14/gt.json"))
    truth = {v.id: v.instances for v in videos if v.subset == expected["subset"]}
    predictions = read_detections(shared("golden/evaluator/predictions.json"))
    score = detection_score(truth, predictions, expected["tiou"])
    np.testing.assert_allclose(score.map_K, expected["mAP"], rtol=0, atol=1e-6)
    assert score.average == pytest.approx(expected["average"], abs=1e-6)


def by_loops(truth: dict, predictions: dict, tiou: float) -> float:
    """Returns the mAP by the official evaluator's procedure, one prediction at a time."""
    classes = sorted({s.label for segments in truth.values() for s in segments})
    precisions = []
    for label in classes:
        instances = defaultdict(list)
        for id_, segments in truth.items():
            instances[id_] = [(s.start_s, s.end_s) for s in segments if s.label == label]
        ranked = sorted(
            ((s.score, id_, s) for id_, segments in predictions.items() for s in segments
             if s.label == label), key=lambda row: -row[0])  # fmt: skip
        free = {id_: [True] * len(times) for id_, times in instances.items()}
        hits = []
        for _, id_, segment in ranked:
            times = np.array(instances[id_]).reshape(-1, 2)
            own = np.array([[segment.start_s, segment.end_s]])
            overlaps = temporal_iou(own, times)
            choice = [i for i in np.argsort(-overlaps) if free[id_][i] and overlaps[i] >= tiou]
            hits.append(bool(choice))
            if choice:
                free[id_][choice[0]] = False
        total = sum(map(len, instances.values()))
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        precisions.append(
            sum(precision[i:].max() for i, hit in enumerate(hits) if hit) / total if hits else 0.0
        )
    return float(np.mean(precisions))


segment = st.builds(
    lambda start, length, label, score: Segment(start, start + length, label, score),
    st.floats(0, 10), st.floats(0.1, 6), st.sampled_from("ab"), st.floats(0, 1),
)  # fmt: skip
videos = st.dictionaries(st.sampled_from("xyz"), st.lists(segment, max_size=8), min_size=1)


@settings(max_examples=150, deadline=None)
@given(videos, videos)
def test_vectorised_metric_equals_plain_loops(truth: dict, predictions: dict) -> None:
    """On any videos without equal scores, whose order is not defined."""
    scores = [s.score for segments in predictions.values() for s in segments]
    if len(set(scores)) < len(scores) or not any(truth.values()):
        return
    score = detection_score(truth, predictions, (0.2, 0.5, 0.7))
    expected = [by_loops(truth, predictions, tiou) for tiou in (0.2, 0.5, 0.7)]
    np.testing.assert_allclose(score.map_K, expected, atol=1e-9)


def test_perfect_and_absent_predictions() -> None:
    """Perfect predictions have 1, none have 0, and a class without predictions counts as 0."""
    truth = {"v": [Segment(0, 1, "a"), Segment(3, 4, "b")]}
    assert detection_score(truth, truth, (0.5,)).average == 1
    assert detection_score(truth, {}, (0.5,)).average == 0
    assert detection_score(truth, {"v": [Segment(0, 1, "a")]}, (0.5,)).average == 0.5


def test_map_at_a_threshold_is_found_by_its_value() -> None:
    """A prediction with tIoU 0.6 counts at 0.5 and not at 0.7."""
    truth, predictions = {"v": [Segment(0, 10, "a")]}, {"v": [Segment(0, 6, "a")]}
    score = detection_score(truth, predictions, (0.3, 0.5, 0.7))
    assert [score.map_at(tiou) for tiou in (0.3, 0.1 + 0.4, 0.7)] == [1, 1, 0]


def test_ignored_predictions_have_no_rank() -> None:
    """The first prediction is ignored, so the hit after it has precision 1."""
    hit_KN = np.array([[False, True, False, True]])
    counted_KN = np.array([[False, True, True, True]])
    assert average_precision(hit_KN, 2).tolist() == pytest.approx([1 / 2])
    assert average_precision(hit_KN, 2, counted_KN).tolist() == pytest.approx([(1 + 2 / 3) / 2])


def test_truth_without_instances_is_an_error() -> None:
    """No instance to score is an error, not a score of 0."""
    with pytest.raises(DataError, match="no timed instance"):
        detection_score({"v": []}, {}, (0.5,))


def test_tiou_ranges() -> None:
    """One value, a list, and a range with its end; the error names other texts."""
    assert tiou_range("0.5") == (0.5,)
    assert tiou_range("0.3,0.7") == (0.3, 0.7)
    assert tiou_range("0.1:0.7:0.1") == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    nonsense_texts = ("", "a", "0.5:0.1", "0", "1.5", "0.1:0.7:0", "inf", "nan", "0.1:inf:0.1",
                      "0.1:0.7:1e-9", "0.7:0.1:0.1")  # fmt: skip
    for nonsense in nonsense_texts:
        with pytest.raises(DataError, match="tIoU"):
            tiou_range(nonsense)


def test_a_range_has_up_to_a_thousand_thresholds() -> None:
    """Both ends of the range and of the number of thresholds are allowed."""
    assert tiou_range("1") == tiou_range("1:1:0.1") == (1.0,)
    step = 1 / 2048
    assert len(tiou_range(f"{step}:{1000 * step}:{step}")) == 1000
    with pytest.raises(DataError, match="tIoU"):
        tiou_range(f"{step}:{1001 * step}:{step}")


def test_frame_accuracy_counts_snippets_by_their_centres() -> None:
    """A centre at the start of an instance is within it, one at the end is not."""
    cas_TC = np.ones((4, 1), np.float32)
    accuracy = FrameAccuracy()
    assert np.isnan(accuracy.value)
    instances = [Segment(0.5, 2.5, "a"), Segment(3, 4, "no class of the network")]
    accuracy.add(cas_TC, np.array([True]), instances, classes="a", duration_s=4)
    assert (accuracy.correct, accuracy.total) == (2, 3)


def test_frame_accuracy_counts_action_snippets_only() -> None:
    """Background does not count, and a rejected class is never right."""
    cas_TC = np.array([[5, 1], [5, 1], [1, 5], [1, 5]], dtype=np.float32)
    instances = [Segment(0, 1, "a"), Segment(1, 3, "b")]
    accuracy = FrameAccuracy()
    accuracy.add(cas_TC, np.array([True, True]), instances, classes="ab", duration_s=4)
    assert accuracy.value == pytest.approx(2 / 3)
    accuracy.add(cas_TC, np.array([False, True]), instances, classes="ab", duration_s=4)
    assert (accuracy.correct, accuracy.total) == (4, 6)
    accuracy.add(cas_TC, np.array([False, False]), instances, classes="ab", duration_s=4)
    assert (accuracy.correct, accuracy.total) == (4, 9)


def test_tagging_map_of_known_rankings() -> None:
    """Classes without any positive video are left out."""
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    assert tagging_map(labels.astype(float), labels) == 1
    assert np.isnan(tagging_map(np.ones((3, 2)), np.zeros((3, 2))))
    scores = np.array([[0.1, 0, 0], [0.5, 1, 0], [0.9, 0, 0]])
    assert tagging_map(scores, labels) == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)


@pytest.mark.parametrize("count", [3, 200])
def test_predictions_of_equal_score_keep_their_order(count: int) -> None:
    """As in the official evaluator, the later of two equal predictions ranks first."""
    truth = {"v": [Segment(0, 1, "a")]}
    same = [Segment(number, number + 1, "a", 0.5) for number in range(count)]
    ranked = rank_detections(truth, {"v": same}, (0.5,))["a"]
    assert ranked.times_N2[:, 0].tolist() == list(range(count))[::-1]


def test_videos_of_equal_score_keep_their_order() -> None:
    """200 videos score the same for a class that the first one shows."""
    labels_VC = np.zeros((200, 1))
    labels_VC[0] = 1
    assert tagging_ap(np.full((200, 1), 0.5), labels_VC).tolist() == [1.0]


def test_classes_are_sorted_whatever_the_order_of_the_videos() -> None:
    """So columns of two scores of the same data can be compared."""
    truth = {"w": [Segment(0, 1, "b")], "v": [Segment(0, 1, "c"), Segment(0, 1, "a")]}
    assert detection_score(truth, {}, (0.5,)).classes == ("a", "b", "c")
    assert list(rank_detections(truth, {}, (0.5,))) == ["a", "b", "c"]

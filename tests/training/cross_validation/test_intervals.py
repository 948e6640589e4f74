import numpy as np
import pytest

from model.segments import Segment
from training.cross_validation.intervals import (
    detection_intervals,
    resampled_auc,
    resampled_counts,
    resampled_map,
    tag_intervals,
)
from training.measurement.metrics import detection_score
from training.measurement.summary import roc_auc

TIOU_K = (0.3, 0.7)


def test_videos_of_one_name_are_drawn_together() -> None:
    """The first resample has every video once, and each has as many names as there are."""
    count_RV = resampled_counts(["a", "a", "b", "c"])
    assert count_RV[0].tolist() == [1, 1, 1, 1]
    assert (count_RV[:, 0] == count_RV[:, 1]).all()
    assert (count_RV[:, 1:].sum(axis=1) == 3).all()


def test_figure_is_the_metric_and_lies_in_its_interval() -> None:
    """Ten videos with a hit, a near miss and a false alarm each, with drawn scores."""
    rng = np.random.default_rng(0)
    truth = {f"v{n}": (Segment(0, 4, "Jump", 1),) for n in range(10)}
    found = {
        name: [Segment(0, 4 - 3 * rng.random(), "Jump", rng.random()), Segment(6, 7, "Jump", 0.5)]
        for name in truth
    }
    intervals = detection_intervals(truth, found, TIOU_K, resampled_counts(list(truth)))
    score = detection_score(truth, found, TIOU_K)
    assert [one.value for one in intervals] == pytest.approx([*score.map_K, score.average])
    assert all(one.low <= one.value <= one.high for one in intervals)
    assert intervals[0].low < intervals[0].high


def test_resampled_metric_is_that_of_repeated_videos() -> None:
    """A video that is drawn twice counts as two videos with equal scores."""
    truth = {"a": (Segment(0, 4, "Jump", 1),), "b": (Segment(0, 4, "Jump", 1),)}
    found = {"a": [Segment(0, 4, "Jump", 0.4)], "b": [Segment(5, 6, "Jump", 0.9)]}
    count_RV = np.array([[2, 1]])
    repeated = [{**of, "a2": of["a"]} for of in (truth, found)]
    (at_3, _, _) = detection_intervals(truth, found, TIOU_K, np.vstack([count_RV, count_RV]))
    assert at_3.value == pytest.approx(detection_score(*repeated, TIOU_K).map_K[0])


def test_counts_of_0_and_1_measure_a_part_of_the_videos() -> None:
    """Each video alone has the metric of that video; a part without instances has none."""
    truth = {"a": (Segment(0, 4, "Jump", 1),), "b": (Segment(0, 4, "Run", 1),), "c": ()}
    found = {"a": [Segment(0, 3, "Jump", 0.4)], "b": [Segment(0, 2, "Run", 0.9)], "c": []}
    map_RK = resampled_map(truth, found, TIOU_K, np.eye(3, dtype=np.intp))
    alone = [detection_score({id_: truth[id_]}, found, TIOU_K).map_K for id_ in "ab"]
    np.testing.assert_allclose(map_RK, [*alone, [np.nan, np.nan]])


def test_tags_that_are_told_have_no_doubt() -> None:
    """Perfect scores have figures of 1 with an empty interval."""
    tag_VC = np.array([[1], [1], [0], [0]], bool)
    for one in tag_intervals(tag_VC.astype(float), tag_VC, resampled_counts(list("abcd"))):
        assert (one.value, one.low, one.high) == (1, 1, 1)


def test_resampled_area_is_that_of_repeated_videos() -> None:
    """Scores of 0 to 4 have many ties; resamples in which all tags are equal have no area."""
    rng = np.random.default_rng(0)
    tag_V, score_V = rng.random(8) < 0.3, rng.integers(5, size=8).astype(float)
    count_RV = rng.multinomial(8, np.full(8, 1 / 8), size=50)
    repeated = [np.repeat(np.arange(8), count_V) for count_V in count_RV]
    expected_R = [roc_auc(tag_V[drawn], score_V[drawn]) for drawn in repeated]
    assert np.isnan(expected_R).any()
    np.testing.assert_allclose(resampled_auc(tag_V, score_V, count_RV), expected_R)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.segments import Segment, temporal_iou
from training.measurement.metrics import detection_score, rank_detections
from training.report.diagnosis import BANDS, ERRORS, Diagnosis, Outcome, diagnose


def diagnosis(truth: dict, found: dict, tiou_K: tuple[float, ...] = (0.5,)) -> Diagnosis:
    return diagnose(truth, rank_detections(truth, found, tiou_K), tiou_K)


def counts(result: Diagnosis, k: int = 0) -> dict[Outcome, int]:
    """Returns the number of predictions by outcome, over all bands and without zeros."""
    count_O = result.count_KBO[k].sum(axis=0)
    return {outcome: int(count_O[outcome]) for outcome in Outcome if count_O[outcome]}


TRUTH = {"v": [Segment(0, 10, "a"), Segment(20, 30, "b")], "empty": []}


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        (("v", Segment(0, 9, "a", 0.5)), Outcome.DOUBLE_DETECTION),
        (("v", Segment(0, 4, "a", 0.5)), Outcome.LOCALIZATION),  # tIoU 0.4
        (("v", Segment(9, 10, "a", 0.5)), Outcome.LOCALIZATION),  # tIoU 0.1, the smallest that is
        (("v", Segment(20, 24, "a", 0.5)), Outcome.CONFUSION),
        (("v", Segment(20, 29, "a", 0.5)), Outcome.WRONG_LABEL),
        (("v", Segment(9.5, 10, "a", 0.5)), Outcome.BACKGROUND),  # tIoU 0.05
        (("v", Segment(12, 18, "a", 0.5)), Outcome.BACKGROUND),
        (("empty", Segment(0, 10, "a", 0.5)), Outcome.BACKGROUND),
        (("unknown", Segment(0, 10, "a", 0.5)), Outcome.BACKGROUND),
    ],
)
def test_each_error_has_the_type_that_detad_gives_it(
    wrong: tuple[str, Segment], outcome: Outcome
) -> None:
    """The video also has one prediction that hits."""
    video, segment = wrong
    found = {"v": [Segment(0, 10, "a", 0.9)]}
    found[video] = [*found.get(video, []), segment]
    assert counts(diagnosis(TRUTH, found)) == {Outcome.TRUE_POSITIVE: 1, outcome: 1}


def test_the_nearest_instance_decides() -> None:
    """A tIoU of a half with another class outweighs a third with the prediction's own class."""
    truth = {"v": [Segment(0, 10, "a"), Segment(8, 12, "b")]}
    assert counts(diagnosis(truth, {"v": [Segment(8, 14, "a")]})) == {Outcome.WRONG_LABEL: 1}


@pytest.mark.parametrize("labels", ["ab", "ba"])
def test_an_instance_with_two_labels_is_of_both_classes(labels: str) -> None:
    """The order of the labels in the annotations does not matter."""
    truth = {"v": [Segment(0, 10, label) for label in labels]}
    found = {"v": [Segment(0, 10, "a", 0.9), Segment(0, 10, "a", 0.8), Segment(0, 2, "a", 0.7)]}
    expected = {
        Outcome.TRUE_POSITIVE: 1,
        Outcome.DOUBLE_DETECTION: 1,
        Outcome.LOCALIZATION: 1,
    }
    assert counts(diagnosis(truth, found)) == expected


def test_thresholds_decide_between_hit_and_localization() -> None:
    """A prediction with a tIoU of 0.6 hits at 0.3 and 0.5, and misses at 0.7."""
    result = diagnosis({"v": [Segment(0, 10, "a")]}, {"v": [Segment(0, 6, "a")]}, (0.3, 0.5, 0.7))
    assert [list(counts(result, k)) for k in range(3)] == [
        [Outcome.TRUE_POSITIVE],
        [Outcome.TRUE_POSITIVE],
        [Outcome.LOCALIZATION],
    ]
    assert result.missed_K.tolist() == [0, 0, 1]


def test_bands_hold_as_many_predictions_as_the_class_has_instances() -> None:
    """For a class with two instances, the best 20 of 23 predictions are analysed, two a band."""
    truth = {"v": [Segment(0, 10, "a"), Segment(20, 30, "a")]}
    guesses = [Segment(100 + i, 101 + i, "a", 0.5 - i / 100) for i in range(22)]
    result = diagnosis(truth, {"v": [*guesses, Segment(20, 30, "a", 0.9)]})
    assert result.count_KBO[0].sum(axis=1).tolist() == [2] * BANDS
    assert result.count_KBO[0, 0, Outcome.TRUE_POSITIVE] == 1
    assert result.count_KBO[0, :, Outcome.BACKGROUND].sum() == 19


def test_gain_is_what_the_map_would_be_without_the_error() -> None:
    """The AP of one hit behind two errors is 1/3, and 1/2 without either of them."""
    truth = {"v": [Segment(0, 10, "a")]}
    found = {"v": [Segment(0, 4, "a", 0.9), Segment(50, 60, "a", 0.8), Segment(0, 10, "a", 0.7)]}
    result = diagnosis(truth, found)
    gains = dict(zip(ERRORS, result.gain_KE[0].tolist(), strict=True))
    assert result.map_K.tolist() == pytest.approx([1 / 3])
    assert gains[Outcome.LOCALIZATION] == pytest.approx(1 / 2 - 1 / 3)
    assert gains[Outcome.BACKGROUND] == pytest.approx(1 / 2 - 1 / 3)
    assert gains[Outcome.CONFUSION] == 0


def test_without_predictions_all_instances_are_missed() -> None:
    """There are no outcomes and no gains."""
    result = diagnosis(TRUTH, {}, (0.3, 0.5))
    assert result.count_KBO.sum() == 0
    assert result.missed_K.tolist() == [2, 2]
    assert not result.gain_KE.any()


segment = st.builds(
    lambda start, length, label, score: Segment(start, start + length, label, score),
    st.integers(0, 10), st.integers(1, 6), st.sampled_from("abc"), st.floats(0, 1),
)  # fmt: skip
videos = st.dictionaries(st.sampled_from("xyz"), st.lists(segment, max_size=8), min_size=1)


def outcome_by_rule(truth: dict, video: str, guess: Segment, tiou: float) -> Outcome:
    """Returns the type of a prediction that does not hit, by the table in the module."""
    known = {s.label for segments in truth.values() for s in segments}
    assert guess.label in known
    tious = [
        (temporal_iou(np.array(guess[:2], float), np.array(s[:2], float)), s.label)
        for s in truth.get(video, [])
    ]
    best = max((value for value, _ in tious), default=0)
    own = (best, guess.label) in tious
    if best >= tiou:
        return Outcome.DOUBLE_DETECTION if own else Outcome.WRONG_LABEL
    if best >= 0.1:
        return Outcome.LOCALIZATION if own else Outcome.CONFUSION
    return Outcome.BACKGROUND


@settings(max_examples=80, deadline=None)
@given(videos, videos)
def test_outcomes_agree_with_plain_loops_and_the_metric(truth: dict, found: dict) -> None:
    """On random videos, hits agree with the metric and no gain is negative."""
    scores = [s.score for segments in found.values() for s in segments]
    if len(set(scores)) < len(scores) or not any(truth.values()):
        return
    tiou_K = (0.3, 0.6)
    ranked = rank_detections(truth, found, tiou_K)
    result = diagnose(truth, ranked, tiou_K)
    assert (result.gain_KE >= -1e-12).all()
    if all(len(r.score_N) <= BANDS * r.instances for r in ranked.values()):
        score = detection_score(truth, found, tiou_K)
        np.testing.assert_allclose(result.map_K, score.map_K, atol=1e-12)
    for k, tiou in enumerate(tiou_K):
        expected = np.zeros((BANDS, len(Outcome)), dtype=int)
        for label, r in ranked.items():
            for n in range(min(len(r.score_N), BANDS * r.instances)):
                guess = Segment(*r.times_N2[n].tolist(), label)
                outcome = outcome_by_rule(truth, r.video_N[n], guess, tiou)
                band = n // r.instances
                expected[band, Outcome.TRUE_POSITIVE if r.hit_KN[k, n] else outcome] += 1
        np.testing.assert_array_equal(result.count_KBO[k], expected)

import numpy as np
import pytest

from model.segments import Segment
from training.measurement.metrics import detection_score, rank_detections
from training.report.precision_recall import precision_recall


def test_curve_of_a_known_ranking() -> None:
    """Hit, miss, hit with four instances: precision 1 up to recall 1/4, 2/3 up to 1/2, then 0."""
    truth = {"v": [Segment(10 * i, 10 * i + 5, "a") for i in range(4)]}
    found = {"v": [Segment(0, 5, "a", 0.9), Segment(6, 8, "a", 0.8), Segment(10, 15, "a", 0.7)]}
    curves = precision_recall(rank_detections(truth, found, (0.5,)))
    at = dict(
        zip(curves.recall_R.round(2).tolist(), curves.precision_KCR[0, 0].tolist(), strict=True)
    )
    assert [at[r] for r in (0, 0.25, 0.26, 0.5, 0.51, 1)] == pytest.approx(
        [1, 1, 2 / 3, 2 / 3, 0, 0]
    )


def test_area_below_a_curve_is_its_average_precision() -> None:
    """It agrees within the error of 101 points; a class without predictions has 0 everywhere."""
    rng = np.random.default_rng(0)
    starts = np.arange(50) * 10.0
    truth = {"v": [*(Segment(s, s + 5, "a") for s in starts), Segment(0, 1, "never found")]}
    found = {"v": [Segment(s, s + 5 + 5 * rng.random(), "a", rng.random()) for s in starts]}
    tiou_K = (0.5, 0.7)
    curves = precision_recall(rank_detections(truth, found, tiou_K))
    assert curves.classes == ("a", "never found")
    np.testing.assert_allclose(curves.ap_KC, detection_score(truth, found, tiou_K).ap_KC)
    np.testing.assert_allclose(curves.precision_KCR.mean(axis=2), curves.ap_KC, atol=0.02)
    assert not curves.precision_KCR[:, 1].any()

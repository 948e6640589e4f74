import numpy as np
import pytest

from training.report.reliability import BINS, reliability


def test_bins_of_known_scores() -> None:
    """The first bin has two scores and one hit, the last two scores and two hits."""
    diagram = reliability(np.array([0.02, 0.06, 0.9, 1.0]), np.array([True, False, True, True]))
    assert diagram.count_B.tolist() == [2, *[0] * (BINS - 2), 2]
    assert diagram.score_B[[0, -1]].tolist() == pytest.approx([0.04, 0.95])
    assert diagram.hit_share_B[[0, -1]].tolist() == [0.5, 1]
    assert np.isnan(diagram.score_B[1:-1]).all()
    assert diagram.error == pytest.approx((0.46 * 2 + 0.05 * 2) / 4)


def test_scores_outside_0_to_1_are_clipped() -> None:
    """Segment scores are not probabilities and may exceed 1."""
    diagram = reliability(np.array([-0.5, 1.3]), np.array([False, True]))
    assert diagram.count_B[[0, -1]].tolist() == [1, 1]
    assert diagram.error == 0


def test_without_scores_the_error_is_unknown() -> None:
    """It is NaN and not 0."""
    assert np.isnan(reliability(np.empty(0), np.empty(0, dtype=bool)).error)

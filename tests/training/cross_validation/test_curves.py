import numpy as np
import pytest

from model.calibration import Isotonic, Platt
from training.cross_validation.curves import (
    Scored,
    best_curve,
    brier_score,
    log_loss,
    pair_brier_score,
    pair_log_loss,
)


def scored(score_VC: np.ndarray, tag_VC: np.ndarray, folds: int = 5) -> Scored:
    counts_VC = np.ones(tag_VC.shape, bool)
    return Scored(score_VC, tag_VC, counts_VC, np.arange(len(tag_VC)) % folds)


def drawn(videos: int, classes: int, sureness: float) -> Scored:
    """Tags that are drawn from probabilities, and scores whose log-odds are larger than theirs."""
    rng = np.random.default_rng(0)
    log_odds_VC = rng.normal(0, 1.5, (videos, classes))
    tag_VC = rng.random((videos, classes)) < 1 / (1 + np.exp(-log_odds_VC))
    return scored(1 / (1 + np.exp(-sureness * log_odds_VC)), tag_VC)


def test_sure_scores_become_as_unsure_as_they_should_be() -> None:
    """Log-odds three times too large are divided by about three, and both losses fall."""
    too_sure = drawn(60, 1, sureness=3)
    curve, after_VC = best_curve(too_sure)
    assert isinstance(curve, Platt)
    assert curve.slope_C == pytest.approx((1 / 3,), abs=0.15)
    assert log_loss(after_VC, too_sure) < log_loss(too_sure.score_VC, too_sure)
    assert brier_score(after_VC, too_sure) < brier_score(too_sure.score_VC, too_sure)


def test_curve_without_a_gain_is_not_taken() -> None:
    """Scores that are the probabilities themselves stay as they are."""
    right = drawn(400, 1, sureness=1)
    curve, after_VC = best_curve(right)
    gain = log_loss(right.score_VC, right) - log_loss(after_VC, right)
    assert curve is None or gain < 0.01


def test_classes_with_enough_videos_get_their_own_curve() -> None:
    """One class is far too sure, another as sure as it should be."""
    parts = drawn(300, 1, sureness=5), drawn(300, 1, sureness=1)
    both = scored(
        np.hstack([one.score_VC for one in parts]), np.hstack([one.tag_VC for one in parts])
    )
    curve, _ = best_curve(both)
    assert isinstance(curve, Platt)
    assert curve.slope_C == pytest.approx((0.2, 1.0), abs=0.2)


def test_many_pairs_may_have_a_curve_of_any_rising_form() -> None:
    """Half of the pairs above 0.5 have the tag, and none below, whatever the score."""
    rng = np.random.default_rng(0)
    score_VC = rng.random((2000, 1))
    tag_VC = (score_VC > 0.5) & (rng.random((2000, 1)) < 0.5)
    curve, _ = best_curve(scored(score_VC, tag_VC))
    assert isinstance(curve, Isotonic)
    assert curve(np.array([0.1, 0.9])) == pytest.approx([0, 0.5], abs=0.1)


@pytest.mark.parametrize("tags", [0, 4, 20])
def test_too_few_pairs_of_one_kind_have_no_curve(tags: int) -> None:
    """No curve where fewer than five pairs have the tag, or fewer than five do not."""
    tag_VC = (np.arange(20) < tags)[:, None]
    curve, _ = best_curve(scored(np.linspace(1, 0, 20)[:, None], tag_VC))
    assert curve is None


def test_scores_that_rank_the_wrong_way_have_no_curve() -> None:
    """A falling curve would turn the ranking around."""
    wrong = drawn(60, 1, sureness=-1)
    assert best_curve(wrong)[0] is None


def test_pairs_of_an_unseen_class_do_not_count() -> None:
    """A network that has not seen a class scores it by chance."""
    one = drawn(60, 1, sureness=3)
    counts_VC = np.ones((60, 1), bool)
    counts_VC[::5] = False
    partial = Scored(one.score_VC, one.tag_VC, counts_VC, one.fold_V)
    seen = one.of_folds(counts_VC[:, 0])
    assert log_loss(partial.score_VC, partial) == pytest.approx(log_loss(seen.score_VC, seen))


def test_losses_of_pairs() -> None:
    """Certain and right costs nothing, half and half log 2, certain and wrong a bounded much."""
    tag_VC = np.array([[True, False, False, True]])
    score_VC = np.array([[1.0, 0.0, 0.5, 0.0]])
    expected_C = [0, 0, np.log(2), 12 * np.log(10)]
    np.testing.assert_allclose(pair_log_loss(score_VC, tag_VC)[0], expected_C, atol=1e-9)
    np.testing.assert_allclose(pair_brier_score(score_VC, tag_VC)[0], [0, 0, 0.25, 1])

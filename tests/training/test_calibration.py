import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.calibration import display_min_score, logit_scale


def test_scale_is_found_that_the_logits_were_divided_by() -> None:
    """Logits are drawn so that their softmax is the labels' frequency, then divided by 32."""
    rng = np.random.default_rng(0)
    logits_VC = rng.standard_normal((4000, 3))
    probability_VC = np.exp(logits_VC) / np.exp(logits_VC).sum(axis=1, keepdims=True)
    drawn = [rng.choice(3, p=row) for row in probability_VC]
    labels_VC = np.eye(3)[drawn]
    assert logit_scale(logits_VC / 32, labels_VC, "softmax") == 32


def test_scale_of_independent_classes_is_found_too() -> None:
    """The same for labels drawn from the sigmoid of each logit."""
    rng = np.random.default_rng(0)
    logits_VC = 2 * rng.standard_normal((4000, 3))
    labels_VC = (rng.random((4000, 3)) < 1 / (1 + np.exp(-logits_VC))).astype(float)
    assert logit_scale(logits_VC / 8, labels_VC, "sigmoid") == 8


def brute_force(best_score_VC: np.ndarray, labels_VC: np.ndarray) -> float:
    """Every segment score as a threshold, from the lowest up; the first of the best counts."""
    best_f1, best_threshold = -1.0, 0.0
    for threshold in np.unique(best_score_VC[np.isfinite(best_score_VC)]):
        predicted_VC = best_score_VC >= threshold
        right = (predicted_VC & (labels_VC > 0)).sum()
        wrong = (predicted_VC != (labels_VC > 0)).sum()
        if labels_VC.any() and (f1 := 2 * right / (2 * right + wrong)) > best_f1:
            best_f1, best_threshold = f1, float(threshold)
    return best_threshold


pair = st.tuples(st.sampled_from([-np.inf, -0.1, 0.0, 0.2, 0.5, 0.7, 1.1]), st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(pair, pair), min_size=1, max_size=8))
def test_display_score_equals_brute_force(pairs: list) -> None:
    """On any scores, equal and absent ones included."""
    table = np.array(pairs, dtype=float)
    scores_VC, labels_VC = table[:, :, 0], table[:, :, 1]
    assert display_min_score(scores_VC, labels_VC) == brute_force(scores_VC, labels_VC)


def test_display_score_of_known_segments() -> None:
    """The docstring's example, a clear gap, and cases in which F1 is not defined."""
    scores_VC = np.array([[0.9, 0.7], [0.4, 0.2]])
    assert display_min_score(scores_VC, np.array([[1, 1], [0, 1]])) == 0.2
    assert display_min_score(scores_VC, np.array([[1, 1], [0, 0]])) == 0.7
    assert display_min_score(scores_VC, np.zeros((2, 2))) == 0
    assert display_min_score(np.full((2, 2), -np.inf), np.ones((2, 2))) == 0

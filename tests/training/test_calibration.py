import numpy as np

from training.calibration import logit_scale


def test_scale_is_found_that_the_logits_were_divided_by() -> None:
    """Logits drawn so that their softmax is the labels' frequency, then shrunk by 32."""
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

"""Reason why nothing was found."""

import numpy as np
import pytest

from model.localization.localize import LocalizationConfig
from model.localization.nothing_found import why_nothing_found

SCORES_VC = np.array([[0.1, 0.2], [0.05, 0.15]])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            LocalizationConfig(class_threshold=0.25),
            "no class reached class_threshold 0.25; the highest score is 0.20",
        ),
        (
            LocalizationConfig(class_threshold=0.201),
            "no class reached class_threshold 0.201; the highest score is 0.20",
        ),
        (
            LocalizationConfig(class_threshold=0.1),
            "classes reached class_threshold 0.1 (the highest score is 0.20), but none has a run "
            "above cas_threshold_min 0.05",
        ),
        (
            LocalizationConfig(class_threshold=0.1, min_score=0.9),
            "classes reached class_threshold 0.1 (the highest score is 0.20), but no segment "
            "reached min_score 0.9",
        ),
        (LocalizationConfig(class_threshold=0.1, max_segments=0), "max_segments is 0"),
    ],
)
def test_reason_why_nothing_was_found(config: LocalizationConfig, reason: str) -> None:
    """The first step of localization that left nothing, with its setting and the numbers."""
    assert why_nothing_found(SCORES_VC, config) == reason


def test_score_just_below_the_threshold_does_not_look_like_it() -> None:
    """It is printed with enough digits."""
    config = LocalizationConfig(class_threshold=0.25)
    reason = why_nothing_found(np.array([[0.2496]]), config)
    assert reason.endswith("class_threshold 0.25; the highest score is 0.2496")

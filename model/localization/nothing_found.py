"""Reason why localization found no segment, as a sentence for people.

Axes: V videos, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from model.localization.localize import LocalizationConfig


def why_nothing_found(class_scores_VC: NDArray[np.floating], config: LocalizationConfig) -> str:
    """Returns the reason why localization found no segment in any of some videos.

    Args:
        class_scores_VC: Probability of each class (column) in each video (row) without a segment.
        config: Localization that found none.
    """
    highest = float(np.max(class_scores_VC))
    if highest < config.class_threshold:
        return (
            f"no class reached class_threshold {config.class_threshold:g}; "
            f"the highest score is {_below(highest, config.class_threshold)}"
        )
    if config.max_segments == 0:
        return "max_segments is 0"
    obstacle = (
        f"none has a run above cas_threshold_min {config.cas_threshold_min:g}"
        if config.min_score is None
        else f"no segment reached min_score {config.min_score:g}"
    )
    return (
        f"classes reached class_threshold {config.class_threshold:g} (the highest score is "
        f"{highest:.2f}), but {obstacle}"
    )


def _below(score: float, threshold: float) -> str:
    """Returns a score with two digits, or with as many as show that it is below the threshold."""
    digits = next((d for d in range(2, 17) if float(f"{score:.{d}f}") < threshold), 17)
    return f"{score:.{digits}f}"

"""Calibration: from the class scores of a network to the probability that a video shows a class.

A network is surer of new videos than it should be, and a softmax divides 1 among the tags of a
video. `ecm fit` therefore measures on videos that a network did not learn from how often a class
with a score is really shown, and stores the curve.

Axes: C classes, K knots.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import SpecError

Floats: TypeAlias = NDArray[np.float64]

_LEAST = 1e-12
"""Smallest score, and smallest distance from 1, whose odds are computed."""


@dataclass(frozen=True, slots=True)
class Platt:
    """A logistic curve for each class: log-odds become `slope * log-odds + offset`."""

    slope_C: tuple[float, ...]
    """Factor of each class, above 0."""
    offset_C: tuple[float, ...]
    """Summand of each class."""
    kind: Literal["platt"] = "platt"
    """Name of the curve."""

    def __post_init__(self) -> None:
        if len(self.slope_C) != len(self.offset_C):
            raise SpecError(
                f"calibration: expected as many slopes as offsets, got {len(self.slope_C)} and "
                f"{len(self.offset_C)}"
            )
        if not all(0 < slope < math.inf for slope in self.slope_C):
            raise SpecError(f"calibration: slopes must be above 0 and finite, not {self.slope_C}")
        if not all(map(math.isfinite, self.offset_C)):
            raise SpecError(f"calibration: offsets must be finite, not {self.offset_C}")

    def __call__(self, score_C: NDArray[np.floating]) -> Floats:
        """Returns probabilities; the last axis of the scores is C."""
        log_odds_C = np.array(self.slope_C) * log_odds(score_C) + np.array(self.offset_C)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * log_odds_C)))


@dataclass(frozen=True, slots=True)
class Isotonic:
    """One rising curve for all classes: straight lines between knots, level outside them."""

    score_K: tuple[float, ...]
    """Scores of the knots, rising."""
    probability_K: tuple[float, ...]
    """Probability at each knot, never falling."""
    kind: Literal["isotonic"] = "isotonic"
    """Name of the curve."""

    def __post_init__(self) -> None:
        rises = np.all(np.diff(self.score_K) > 0) and np.all(np.diff(self.probability_K) >= 0)
        if not self.score_K or len(self.score_K) != len(self.probability_K) or not rises:
            raise SpecError(
                "calibration: expected rising knots with a probability each, got "
                f"{self.score_K} and {self.probability_K}"
            )
        if not all(0 <= value <= 1 for value in self.probability_K):
            raise SpecError(
                f"calibration: probabilities must be in [0, 1], not {self.probability_K}"
            )

    def __call__(self, score_C: NDArray[np.floating]) -> Floats:
        """Returns probabilities of scores of any shape."""
        return np.asarray(np.interp(score_C, self.score_K, self.probability_K), np.float64)


Curve: TypeAlias = Platt | Isotonic


@dataclass(frozen=True, slots=True)
class Calibration:
    """Curve of the class scores, and the figures of the training videos out of fold.

    Each training video was scored by a network that had not learned from it. "Before" is without
    the curve. "After" is with a curve that was fitted to the other folds.
    """

    curve: Curve | None = None
    """Curve of the class scores; None where none predicts the tags better than the scores do."""
    folds: int = 0
    """Networks that were trained."""
    videos: int = 0
    """Training videos that were scored."""
    auc_C: tuple[float | None, ...] = ()
    """Area under the ROC curve of each class; None where the videos all or none show it."""
    ap_C: tuple[float | None, ...] = ()
    """Average precision of each class; None where no video shows it."""
    log_loss: tuple[float, float] = (0.0, 0.0)
    """Mean log loss of all pairs of a video and a class, before and after."""
    brier: tuple[float, float] = (0.0, 0.0)
    """Mean squared difference of probability and tag, before and after."""
    tagged: int = 0
    """Videos with a tag."""
    tagged_empty: int = 0
    """Videos with a tag in which no class reaches the class threshold."""
    untagged: int = 0
    """Videos without a tag."""
    untagged_empty: int = 0
    """Videos without a tag in which no class reaches the class threshold."""
    notes: tuple[str, ...] = ()
    """Sentences about classes that could not be measured or told from others."""


def log_odds(score_C: NDArray[np.floating]) -> Floats:
    """Returns log(p / (1 - p)) of scores; 0 and 1 count as the nearest scores with finite odds."""
    wide_C = np.clip(np.asarray(score_C, np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(wide_C) - np.log1p(-wide_C))

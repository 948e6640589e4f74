"""Curves from class scores to probabilities, fitted to tags and chosen out of fold.

Axes: V videos, C classes, N pairs of a video and a class.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.calibration import Curve, Isotonic, Platt, log_odds

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

LEAST_PAIRS = 5
"""Fewest pairs with a tag, and without one, to which a curve is fitted."""
OWN_CURVE_VIDEOS = 10
"""Fewest videos with a class, and without it, for a logistic curve of its own."""
ISOTONIC_PAIRS = 100
"""Fewest pairs with a tag, and without one, for an isotonic curve. It has many steps, so with
fewer pairs it follows their accidents."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of videos by networks that did not learn from them."""

    score_VC: Floats
    """Class scores."""
    tag_VC: Bools
    """Whether a video shows a class."""
    counts_VC: Bools
    """Whether the network of the video had seen the class, so that the score means something."""
    fold_V: NDArray[np.intp]
    """Number of the network."""

    def of_folds(self, chosen_V: Bools) -> "Scored":
        """Returns some of the videos."""
        return Scored(
            self.score_VC[chosen_V],
            self.tag_VC[chosen_V],
            self.counts_VC[chosen_V],
            self.fold_V[chosen_V],
        )

    def fewest(self, class_: int | slice = slice(None)) -> int:
        """Returns the number of pairs with a tag or without one, whichever is smaller."""
        tag_N = self.tag_VC[:, class_][self.counts_VC[:, class_]]
        return int(min(tag_N.sum(), (~tag_N).sum()))


Fit: TypeAlias = Callable[[Scored], Curve | None]


def best_curve(scored: Scored) -> tuple[Curve | None, Floats]:
    """Returns the curve with the least log loss, and its out-of-fold probabilities, (V, C).

    Each kind of curve is fitted to all folds but one and judged on that one. The curve that is
    returned is of the best kind and is fitted to all folds. None is the best kind where the scores
    themselves predict the tags best, or where there are too few pairs.
    """
    best, best_VC = None, scored.score_VC
    for fit in (_shared_platt, _platt_by_class, _isotonic):
        curve, probability_VC = fit(scored), _cross_fitted(scored, fit)
        if curve is None or probability_VC is None:
            continue
        if log_loss(probability_VC, scored) < log_loss(best_VC, scored):
            best, best_VC = curve, probability_VC
    return best, best_VC


def log_loss(probability_VC: Floats, scored: Scored) -> float:
    """Returns the mean log loss of the pairs that count."""
    return float(pair_log_loss(probability_VC, scored.tag_VC)[scored.counts_VC].mean())


def brier_score(probability_VC: Floats, scored: Scored) -> float:
    """Returns the mean squared difference of probability and tag of the pairs that count."""
    return float(pair_brier_score(probability_VC, scored.tag_VC)[scored.counts_VC].mean())


def pair_log_loss(probability_VC: Floats, tag_VC: Bools) -> Floats:
    """Returns the log loss of each pair of a video and a class, at most that of 1e-12, (V, C)."""
    likelihood_VC = np.where(tag_VC, probability_VC, 1 - probability_VC)
    return np.asarray(-np.log(np.maximum(likelihood_VC, 1e-12)))


def pair_brier_score(probability_VC: Floats, tag_VC: Bools) -> Floats:
    """Returns the squared difference of probability and tag of each pair, (V, C)."""
    return np.asarray((probability_VC - tag_VC) ** 2)


def _cross_fitted(scored: Scored, fit: Fit) -> Floats | None:
    """Returns the probabilities of each fold by a curve that was fitted to the other folds."""
    probability_VC = np.empty_like(scored.score_VC)
    for fold in np.unique(scored.fold_V):
        is_own_V = scored.fold_V == fold
        curve = fit(scored.of_folds(~is_own_V))
        if curve is None:
            return None
        probability_VC[is_own_V] = curve(scored.score_VC[is_own_V])
    return probability_VC


def _shared_platt(scored: Scored) -> Platt | None:
    """Returns one logistic curve for all classes."""
    if scored.fewest() < LEAST_PAIRS:
        return None
    slope, offset = _logistic(scored.score_VC[scored.counts_VC], scored.tag_VC[scored.counts_VC])
    classes = scored.score_VC.shape[1]
    return Platt((slope,) * classes, (offset,) * classes) if slope > 0 else None


def _platt_by_class(scored: Scored) -> Platt | None:
    """Returns a logistic curve for each class that has enough videos, for others the shared one."""
    shared = _shared_platt(scored)
    if shared is None:
        return None
    rows = []
    for class_, row in enumerate(zip(shared.slope_C, shared.offset_C, strict=True)):
        if scored.fewest(class_) >= OWN_CURVE_VIDEOS:
            counts_V = scored.counts_VC[:, class_]
            own = _logistic(scored.score_VC[counts_V, class_], scored.tag_VC[counts_V, class_])
            row = own if own[0] > 0 else row
        rows.append(row)
    slope_C, offset_C = zip(*rows, strict=True)
    return Platt(slope_C, offset_C)


def _logistic(score_N: Floats, tag_N: Bools) -> tuple[float, float]:
    """Returns slope and offset of the logistic curve with the least log loss.

    The tags count as a little less than certain, as in Platt, 1999: with 3 pairs with a tag, 1
    becomes 4/5. Otherwise the slope would have no bound where the scores separate the tags.
    """
    from sklearn.linear_model import LogisticRegression  # here, because the import takes a second

    tags = int(tag_N.sum())
    target_N = np.where(tag_N, (tags + 1) / (tags + 2), 1 / (len(tag_N) - tags + 2))
    rows_N1 = np.tile(log_odds(score_N), 2)[:, None]
    model = LogisticRegression(C=1e6, max_iter=1000)
    model.fit(
        rows_N1,
        np.repeat([1, 0], len(tag_N)),
        sample_weight=np.concatenate([target_N, 1 - target_N]),
    )
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _isotonic(scored: Scored) -> Isotonic | None:
    """Returns one rising curve for all classes, if there are enough pairs."""
    if scored.fewest() < ISOTONIC_PAIRS:
        return None
    from sklearn.isotonic import IsotonicRegression

    score_N, tag_N = scored.score_VC[scored.counts_VC], scored.tag_VC[scored.counts_VC]
    least = 1 / (len(tag_N) + 2)
    model = IsotonicRegression(y_min=least, y_max=1 - least).fit(score_N, tag_N)
    return Isotonic(tuple(model.X_thresholds_.tolist()), tuple(model.y_thresholds_.tolist()))

"""Calibration of a network by the output of others for videos that they did not learn from.

Axes: V videos, C classes.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.calibration import Calibration
from model.spec import ModelSpec
from training.calibration import display_min_score, just_below
from training.configuration.recipe import Recipe
from training.cross_validation.curves import (
    LEAST_PAIRS,
    Bools,
    Floats,
    Scored,
    best_curve,
    brier_score,
    log_loss,
)
from training.cross_validation.folds import splits, tag_folds
from training.cross_validation.out_of_fold import HeldOut, Train, out_of_fold
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import best_scores
from training.measurement.metrics import tagging_ap
from training.measurement.summary import chance_problem, roc_auc

_log = logging.getLogger(__name__)

LEAST_VIDEOS = 10
"""Fewest training videos that are worth a calibration."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Parts of a spec that the folds determine."""

    calibration: Calibration
    """Curve of the class scores and figures of the folds."""
    class_threshold: float
    """Class threshold of the localization."""
    display_min_score: float
    """Lowest score of a segment that is worth listing."""

    def applied(self, spec: ModelSpec) -> ModelSpec:
        """Returns a spec with all of it."""
        localization = replace(spec.localization, class_threshold=self.class_threshold)
        return replace(
            spec,
            calibration=self.calibration,
            localization=localization,
            display_min_score=self.display_min_score,
        )


def calibrated_out_of_fold(
    training: VideoSet, recipe: Recipe, train: Train, device: str
) -> Calibrated | None:
    """Returns what the folds determine; None if there are too few videos.

    The log has the reason for None, and a line for each fold.

    Args:
        training: Videos that the network to calibrate learned from.
        recipe: Recipe of the run.
        train: Trains a network on a part of these videos.
        device: Device that runs the networks.

    Raises:
        DataError: A video's features cannot be used.
    """
    videos, folds = len(training.videos), recipe.calibration_folds
    if videos < LEAST_VIDEOS or folds < 2:
        _log.warning(
            "class scores are not calibrated: %d training videos and %d folds, expected at least "
            "%d and 2", videos, folds, LEAST_VIDEOS,
        )  # fmt: skip
        return None
    fold_V = tag_folds(training.videos, folds, recipe.seed)
    held_out = out_of_fold(splits(training, fold_V), train, device)
    if held_out:
        scored = scored_by(held_out)
        if scored.fewest() >= LEAST_PAIRS:
            return calibration_of(held_out, scored, recipe)
    _log.warning(
        "class scores are not calibrated: expected at least %d pairs of a video and a class with "
        "the tag, and %d without it", LEAST_PAIRS, LEAST_PAIRS,
    )  # fmt: skip
    return None


def scored_by(held_out: Sequence[HeldOut]) -> Scored:
    """Returns the scores of the held-out videos, of which there is at least one."""
    labels = held_out[0].spec.labels
    return Scored(
        np.array([one.scores_C for one in held_out]),
        np.array([[label in one.video.labels for label in labels] for one in held_out]),
        np.array([one.taught_C for one in held_out]),
        np.array([one.fold for one in held_out]),
    )


def calibration_of(held_out: Sequence[HeldOut], scored: Scored, recipe: Recipe) -> Calibrated:
    """Returns the calibration by held-out videos that `scored` has the scores of."""
    curve, fitted_VC = best_curve(scored)
    score_VC = curve(scored.score_VC) if curve else scored.score_VC
    ap_C, auc_C = _by_class(scored, _ap), _by_class(scored, roc_auc)
    labels = held_out[0].spec.labels
    problem_C = [_problem(scored, index) for index in range(len(labels))]
    threshold = recipe.localization.class_threshold
    if recipe.class_threshold_from == "tags":
        told_C = np.array([problem is None for problem in problem_C])
        threshold = passing_threshold(score_VC, scored.tag_VC & scored.counts_VC, told_C)
    is_empty_V = (score_VC < threshold).all(axis=1)
    tagged_V = scored.tag_VC.any(axis=1)
    names = zip(labels, problem_C, strict=True)
    calibration = Calibration(
        curve=curve,
        folds=len(np.unique(scored.fold_V)),
        videos=len(held_out),
        auc_C=auc_C,
        ap_C=ap_C,
        log_loss=(log_loss(scored.score_VC, scored), log_loss(fitted_VC, scored)),
        brier=(brier_score(scored.score_VC, scored), brier_score(fitted_VC, scored)),
        tagged=int(tagged_V.sum()),
        tagged_empty=int((tagged_V & is_empty_V).sum()),
        untagged=int((~tagged_V).sum()),
        untagged_empty=int((~tagged_V & is_empty_V).sum()),
        notes=tuple(f"{label} cannot be told: {problem}" for label, problem in names if problem),
    )
    found = Calibrated(calibration, threshold, 0.0)
    results = (replace(one, spec=found.applied(one.spec)).predict() for one in held_out)
    score = display_min_score(best_scores(results, labels), scored.tag_VC.astype(np.float32))
    return replace(found, display_min_score=score)


def passing_threshold(score_VC: Floats, tag_VC: Bools, told_C: Bools) -> float:
    """Returns the class threshold of equal errors, or a lower one that every class can reach.

    At equal errors, the share of the pairs with a tag that are missed is that of the pairs without
    one that are found. The best F1 would find nearly everything where most videos have a tag. The
    threshold is midway between two scores, because scores of new videos are not exactly these. It
    is lowered to the median score of the own videos of a class, if that is lower. Classes that
    cannot be told from others have no influence, unless that is all of them.

    Example: scores 0.9, 0.7, 0.4 and 0.2 of one class, of which the first two have the tag. From
    0.7 up, there is no error of either kind, so the threshold is 0.54, 1 % below 0.55.

    Args:
        score_VC: Probability of each class in each video.
        tag_VC: Whether a video shows a class.
        told_C: Whether a class can be told from others.
    """
    chosen_C = told_C if told_C.any() else np.ones_like(told_C)
    score_VC, tag_VC = score_VC[:, chosen_C], tag_VC[:, chosen_C]
    order_N = np.argsort(-score_VC, axis=None, kind="stable")
    score_N, tag_N = score_VC.ravel()[order_N], tag_VC.ravel()[order_N]
    missed_N = 1 - np.cumsum(tag_N) / max(tag_N.sum(), 1)
    wrong_N = np.cumsum(~tag_N) / max((~tag_N).sum(), 1)
    is_last_of_equal_N = np.append(score_N[1:] != score_N[:-1], True)
    best = int(np.argmin(np.where(is_last_of_equal_N, np.abs(missed_N - wrong_N), np.inf)))
    threshold = float(score_N[best : best + 2].mean())
    pairs = zip(score_VC.T, tag_VC.T, strict=True)
    medians = [float(np.median(score_V[tag_V])) for score_V, tag_V in pairs if tag_V.any()]
    return just_below(min([threshold, *medians]))


def _by_class(
    scored: Scored, figure: Callable[[NDArray[np.bool_], Floats], float]
) -> tuple[float | None, ...]:
    values = []
    for class_ in range(scored.score_VC.shape[1]):
        counts_V = scored.counts_VC[:, class_]
        value = figure(scored.tag_VC[counts_V, class_], scored.score_VC[counts_V, class_])
        values.append(None if math.isnan(value) else float(value))
    return tuple(values)


def _ap(tag_V: NDArray[np.bool_], score_V: Floats) -> float:
    return (
        float(tagging_ap(score_V[:, None], tag_V[:, None].astype(float))[0])
        if len(tag_V)
        else math.nan
    )


def _problem(scored: Scored, class_: int) -> str | None:
    """Returns the reason why a class cannot be told from others; None if it can."""
    counts_V = scored.counts_VC[:, class_]
    tag_V = scored.tag_VC[counts_V, class_]
    if not tag_V.any():
        return "no two training videos show it, so none could be held out"
    return chance_problem(_ap(tag_V, scored.score_VC[counts_V, class_]), tag_V)

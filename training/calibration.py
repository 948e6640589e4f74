"""Numbers of a model that its loss does not determine; they are fitted to the training tags.

Axes: V videos, C classes, N pairs of a video and a class.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.localization.localize import Activation, topk_mean
from model.predict import CasEngine, at_inference_length, check_finite, video_scores
from model.spec import ModelSpec
from training.checkpoint import Checkpoint
from training.configuration.recipe import Recipe
from training.datasets.video_record import VideoSet
from training.losses import classification_loss
from training.measurement.evaluation import TorchEngine, best_segment_scores

SCALES = 2.0 ** np.arange(-4, 10)
"""Candidate scales of the logits. A sum over hundreds of snippets needs a scale of hundreds."""


def training_logits(engine: CasEngine, spec: ModelSpec, training: VideoSet) -> NDArray[np.float64]:
    """Returns the top-k mean of each class in each training video, (V, C).

    Raises:
        FeatureError: The network overflows.
    """
    cas = _training_cas(engine, spec, training)
    return np.array([topk_mean(cas_TC, spec.topk_ratio) for cas_TC in cas])


def _training_cas(
    engine: CasEngine, spec: ModelSpec, training: VideoSet
) -> Iterator[NDArray[np.float32]]:
    for video in training.videos:
        features_TD = video.features(feature_dim=spec.feature_dim)
        cas_TC = engine.cas(at_inference_length(features_TD, spec))
        check_finite(cas_TC, features_TD)
        yield cas_TC


def with_class_threshold(
    engine: CasEngine,
    spec: ModelSpec,
    training: VideoSet,
    recipe: Recipe,
    highest: float | None = None,
) -> ModelSpec:
    """Returns a spec with the class threshold that the recipe wants; `tags` costs one pass.

    Args:
        engine: Engine that runs the network.
        spec: Spec of the network.
        training: Videos that the network learned from.
        recipe: Recipe of the run.
        highest: Largest threshold; that of the recipe if not given.
    """
    highest = recipe.localization.class_threshold if highest is None else highest
    if recipe.class_threshold_from == "tags":
        cas = _training_cas(engine, spec, training)
        scores_VC = np.array([video_scores(cas_TC, spec) for cas_TC in cas])
        highest = class_threshold(scores_VC, training.labels_VC(spec.labels), highest)
    return replace(spec, localization=replace(spec.localization, class_threshold=highest))


def class_threshold(
    scores_VC: NDArray[np.floating], labels_VC: NDArray[np.floating], highest: float
) -> float:
    """Returns the class threshold that every class reaches in its own training videos.

    A softmax divides 1 among the tags of a video: six tags have 0.17 each, so a fixed threshold of
    0.25 would reject all of them. Each class has to pass in nine of ten of the videos that have its
    tag, and in all of fewer than ten. The threshold is rounded down to two digits, so that a score
    does not depend on the last bits of an engine.

    Example: one class has 0.9 and 0.18 in its two videos, another 0.3 in its only one. The lowest
    is 0.18, so the result is 0.17 with `highest` 0.25, and 0.1 with `highest` 0.1.

    Args:
        scores_VC: Probability of each class (column) in each training video (row).
        labels_VC: 1 where a video shows a class, 0 elsewhere.
        highest: Largest result.
    """
    pairs = zip(scores_VC.T, labels_VC.T, strict=True)
    own = (np.sort(score_V[tag_V > 0]) for score_V, tag_V in pairs)
    lowest = min((float(own_N[len(own_N) // 10]) for own_N in own if len(own_N)), default=highest)
    return highest if lowest >= highest else just_below(lowest)


def just_below(score: float) -> float:
    """Returns the largest number of two digits that is at least 1 % below a score; 0 for 0."""
    if score <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(0.99 * score)) - 1)
    return float(f"{math.floor(0.99 * score / unit) * unit:.2g}")


def logit_scale(
    logits_VC: NDArray[np.floating], labels_VC: NDArray[np.floating], activation: Activation
) -> float:
    """Returns the factor on the logits whose probabilities fit the tags best.

    A post-classification stream that is trained alone classifies sums over a video. Logits of
    single snippets are then smaller by the number of snippets, and no class would reach tau.

    Args:
        logits_VC: Top-k mean of each class (column) in each training video (row).
        labels_VC: 1 where a video shows a class, 0 elsewhere.
        activation: Function that turns logits into probabilities.
    """
    logits, labels = torch.from_numpy(logits_VC), torch.from_numpy(labels_VC)
    losses = [classification_loss(scale * logits, labels, activation) for scale in SCALES]
    return float(SCALES[int(np.argmin(losses))])


def calibrated(checkpoint: Checkpoint, training: VideoSet, device: str) -> Checkpoint:
    """Returns a checkpoint with class threshold and `display_min_score`, from its training videos.

    The display score follows the threshold, because a rejected class has no segments.
    """
    engine = TorchEngine(checkpoint.network().to(device), device)
    spec = with_class_threshold(engine, checkpoint.spec, training, checkpoint.recipe)
    best_score_VC = best_segment_scores(engine, spec, training.videos)
    score = display_min_score(best_score_VC, training.labels_VC(spec.labels))
    return replace(checkpoint, spec=replace(spec, display_min_score=score))


def display_min_score(
    best_score_VC: NDArray[np.floating], labels_VC: NDArray[np.floating]
) -> float:
    """Returns the segment score that separates tagged from untagged classes best.

    A class counts as predicted in a video if its best segment reaches the score. The result has
    the highest micro-averaged F1 of these predictions, among the scores of the best segments; of
    equally good scores it is the lowest.

    Example: four best segments score 0.9, 0.7, 0.4 and 0.2; the first, second and fourth belong to
    tagged classes, and there is no other tag. From the highest score down, the thresholds predict
    1, 2, 3 and 4 pairs, of which 1, 2, 2 and 3 are right. F1 = 2 right / (predicted + 3 tags) is
    2/4, 4/5, 4/6 and 6/7, so the result is 0.2.

    Args:
        best_score_VC: Score of the best segment of each class (column) in each video (row);
            -inf where a class has none.
        labels_VC: 1 where a video shows a class, 0 elsewhere.

    Returns:
        The score; 0 where F1 is not defined because there is no segment or no tag.
    """
    is_found_VC, is_tagged_VC = np.isfinite(best_score_VC), np.asarray(labels_VC) > 0
    tags = int(is_tagged_VC.sum())
    if not tags or not is_found_VC.any():
        return 0.0
    score_N, tagged_N = best_score_VC[is_found_VC], is_tagged_VC[is_found_VC]
    order = np.argsort(-score_N, kind="stable")
    score_N, right_N = score_N[order], np.cumsum(tagged_N[order])
    f1_N = 2 * right_N / (np.arange(1, len(score_N) + 1) + tags)
    is_last_of_equal_N = np.append(score_N[1:] != score_N[:-1], True)
    f1_N = np.where(is_last_of_equal_N, f1_N, -1)
    return float(score_N[np.flatnonzero(f1_N == f1_N.max())[-1]])

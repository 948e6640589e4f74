"""Numbers of a model that its loss does not determine; they are fitted to the training tags.

Axes: V videos, C classes, N pairs of a video and a class.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.localization.localize import Activation, topk_mean
from model.predict import CasEngine, at_inference_length
from model.spec import ModelSpec
from training.checkpoint import Checkpoint
from training.datasets.video_record import VideoSet
from training.losses import classification_loss
from training.measurement.evaluation import TorchEngine, best_segment_scores

SCALES = 2.0 ** np.arange(-4, 10)
"""Candidate scales of the logits. A sum over hundreds of snippets needs a scale of hundreds."""


def calibrate_logits(engine: CasEngine, spec: ModelSpec, training: VideoSet) -> float:
    """Returns the `logit_scale` of a network, from one pass over its training videos."""
    features = (video.features(feature_dim=spec.feature_dim) for video in training.videos)
    inputs = (at_inference_length(features_TD, spec) for features_TD in features)
    logits_VC = np.array([topk_mean(engine.cas(video), spec.topk_ratio) for video in inputs])
    return logit_scale(logits_VC, training.labels_VC(spec.labels), spec.activation)


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


def with_display_score(checkpoint: Checkpoint, training: VideoSet, device: str) -> Checkpoint:
    """Returns a checkpoint with its spec's `display_min_score`, from one pass over the videos."""
    engine, spec = TorchEngine(checkpoint.network().to(device), device), checkpoint.spec
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

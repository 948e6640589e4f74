"""What happens before the first step: which videos count, what the network is, where it begins."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from model.arrays import check_features
from model.errors import DataError, OptionError
from model.network import Ecm, EcmConfig, Standardization
from model.snippets import SnippetClock
from model.spec import ModelSpec, Provenance
from training.checkpoint import LAST, Checkpoint, load_checkpoint
from training.datasets.video_record import VideoRecord, VideoSet
from training.recipe import Recipe

Floats: TypeAlias = NDArray[np.float64]
_log = logging.getLogger(__name__)

SNIPPET_TOLERANCE = 0.01
"""Videos agree on a snippet's length if it differs by less than this share."""


def learnable(training: VideoSet, recipe: Recipe) -> VideoSet:
    """Returns the videos that a recipe can learn from: those with labels, or with `sigmoid` all.

    Raises:
        DataError: no video has a label.
    """
    labelled = tuple(video for video in training.videos if video.labels)
    if not labelled:
        raise DataError(f"{training.source}: no training video has a label")
    if recipe.objective.activation == "sigmoid" or len(labelled) == len(training.videos):
        return training
    _log.warning(
        "%d training videos without any label are left out; `--activation sigmoid` uses them",
        len(training.videos) - len(labelled),
    )
    return replace(training, videos=labelled)


def beginning(training: VideoSet, recipe: Recipe, out: Path, software: str) -> Checkpoint:
    """Returns the state to begin with: the run's last checkpoint, or fresh weights.

    Raises:
        OptionError: `out` holds a run of another recipe or other classes.
    """
    if (out / LAST).is_file():
        return _continued(load_checkpoint(out / LAST), training, recipe, out)
    spec = describe(training, recipe, software)
    config = EcmConfig(
        spec.feature_dim,
        len(spec.labels),
        hidden_width=recipe.hidden_width,
        dropout=recipe.dropout,
        shared_classifier=recipe.shared_classifier,
        attention=recipe.attention,
        standardized=recipe.standardize,
    )
    network = fresh_network(config, recipe)
    if isinstance(network.standardize, Standardization):
        mean_D, deviation_D = channel_statistics(training)
        network.standardize.mean_D.copy_(torch.from_numpy(mean_D))
        network.standardize.deviation_D.copy_(torch.from_numpy(deviation_D))
    return Checkpoint(spec, recipe, config, network.state_dict(), {}, epoch=0)


def fresh_network(config: EcmConfig, recipe: Recipe) -> Ecm:
    """Returns a network with the weights that a recipe begins with."""
    torch.manual_seed(recipe.seed)
    network = Ecm(config)
    if recipe.transition_start == "identity":
        with torch.no_grad():
            transition_CC = torch.eye(config.classes)
            if config.attention == "agnostic":
                transition_CC = transition_CC.mean(dim=0, keepdim=True)
            network.transition.weight.copy_(transition_CC[..., None])
            assert network.transition.bias is not None
            network.transition.bias.zero_()
    return network


def channel_statistics(training: VideoSet) -> tuple[Floats, Floats]:
    """Returns the mean and the deviation of each channel over all snippets, float64 (D,) each.

    A channel that hardly ever changes would be blown up where it does: the deviation is at least
    a hundredth of the mean of all, and 1 where all are 0.

    Raises:
        DataError: a video's features cannot be used.
    """
    count, sum_D, squares_D = 0, np.zeros(1), np.zeros(1)
    for video in training.videos:
        features_TD = _checked(video).astype(np.float64)
        count += len(features_TD)
        sum_D = sum_D + features_TD.sum(axis=0)
        squares_D = squares_D + (features_TD**2).sum(axis=0)
    mean_D = sum_D / count
    deviation_D = np.sqrt(np.maximum(squares_D / count - mean_D**2, 0))
    return mean_D, np.maximum(deviation_D, deviation_D.mean() / 100 or 1.0)


def _continued(last: Checkpoint, training: VideoSet, recipe: Recipe, out: Path) -> Checkpoint:
    """Returns a run's last checkpoint; its recipe may only say how long to train on.

    A cosine schedule depends on where it ends, so it has to stay.
    """
    same_end = last.recipe.epochs if recipe.schedule == "cosine" else recipe.epochs
    if replace(last.recipe, epochs=same_end, patience=recipe.patience) != recipe:
        raise OptionError(f"{out} holds a run of another recipe; choose another --out")
    if last.spec.labels != training.classes:
        raise OptionError(f"{out} holds a run with other classes; choose another --out")
    return replace(last, recipe=recipe)


def describe(training: VideoSet, recipe: Recipe, software: str) -> ModelSpec:
    """Returns the spec of a network that learns from these videos.

    Raises:
        DataError: a video's features cannot be read or differ in their channels.
    """
    shapes = [_shape(video) for video in training.videos]
    channels = {shape[1] for shape in shapes}
    if len(channels) != 1:
        raise DataError(f"{training.source}: features differ in their channels: {sorted(channels)}")
    lengths_s = [
        SnippetClock.from_duration(duration_s=video.duration_s, snippets=shape[0]).snippet_s
        for video, shape in zip(training.videos, shapes, strict=True)
    ]
    middle_s = float(np.median(lengths_s))
    agree = np.ptp(lengths_s) <= SNIPPET_TOLERANCE * middle_s
    return ModelSpec(
        labels=training.classes,
        feature_dim=channels.pop(),
        snippets=recipe.snippets or round(float(np.median([shape[0] for shape in shapes]))),
        topk_ratio=recipe.objective.topk_ratio,
        activation=recipe.objective.activation,
        sampling=recipe.sampling,
        snippet_s=middle_s if agree else None,
        extractor=training.extractor,
        localization=recipe.localization,
        provenance=Provenance(
            software=software,
            recipe=recipe.to_json(),
            data=training.source,
            training_videos=len(training.videos),
        ),
    )


def _checked(video: VideoRecord) -> NDArray[np.float32]:
    try:
        return check_features(video.features())
    except ValueError as error:
        raise DataError(f"video {video.id}: {error}") from error


def _shape(video: VideoRecord) -> tuple[int, int]:
    shape = video.features().shape
    if len(shape) != 2 or shape[0] == 0:
        raise DataError(f"video {video.id}: expected shape (snippets, channels), got {shape}")
    return shape[0], shape[1]

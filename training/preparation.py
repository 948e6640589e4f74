"""What happens before the first step: which videos count, what the network is, where it begins."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model.errors import DataError, OptionError
from model.network import Ecm, EcmConfig
from model.snippets import SnippetClock
from model.spec import ModelSpec, Provenance
from training.checkpoint import LAST, Checkpoint, load_checkpoint
from training.datasets.video_record import VideoRecord, VideoSet
from training.recipe import Recipe

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
    )
    torch.manual_seed(recipe.seed)
    return Checkpoint(spec, recipe, config, Ecm(config).state_dict(), {}, epoch=0)


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
        snippets=recipe.snippets,
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


def _shape(video: VideoRecord) -> tuple[int, int]:
    shape = video.features().shape
    if len(shape) != 2 or shape[0] == 0:
        raise DataError(f"video {video.id}: expected shape (snippets, channels), got {shape}")
    return shape[0], shape[1]

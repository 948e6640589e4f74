"""The state that a new run starts from: its usable videos, spec and weights.

Axes: T snippets, D feature channels, C classes.
"""

import logging
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.errors import DataError
from model.network import Ecm, EcmConfig, Standardization
from model.snippets import SnippetClock
from model.spec import ModelSpec, Provenance
from training.checkpoint import Checkpoint
from training.configuration.recipe import Judge, Recipe
from training.data_digest import DataDigest, data_digest, warn_of_same_features
from training.datasets.video_record import VideoRecord, VideoSet
from training.measurement.feature_statistics import feature_statistics

Floats: TypeAlias = NDArray[np.float64]
_log = logging.getLogger(__name__)

SNIPPET_TOLERANCE = 0.01
"""Snippets of all videos count as equally long if their lengths differ by at most this share."""


def learnable_videos(training: VideoSet, recipe: Recipe) -> VideoSet:
    """Returns the videos that a recipe can learn from: those with labels, or with `sigmoid` all.

    Raises:
        DataError: No video has a label, or all have the same.
    """
    labelled = tuple(video for video in training.videos if video.labels)
    if not labelled:
        raise DataError(f"{training.source}: no training video has a label")
    is_sigmoid = recipe.objective.activation == "sigmoid"
    _require_differing_tags(training, training.videos if is_sigmoid else labelled)
    if is_sigmoid or len(labelled) == len(training.videos):
        return training
    _log.warning(
        "%d training videos without any label are left out; `--activation sigmoid` uses them",
        len(training.videos) - len(labelled),
    )
    return replace(training, videos=labelled)


def _require_differing_tags(training: VideoSet, learned: tuple[VideoRecord, ...]) -> None:
    """Checks that the tags tell some videos from others; no network learns from equal tags.

    Raises:
        DataError: All videos that count have the same tags.
    """
    tags = {video.labels for video in learned}
    if len(tags) > 1:
        return
    untagged = len(training.videos) - len(learned)
    remedy = (
        f"use --preset own-videos, which also learns from the {untagged} videos without a tag"
        if untagged
        else "add videos without these tags and use --preset own-videos"
    )
    raise DataError(
        f"{training.source}: a network learns what distinguishes videos, but all {len(learned)} "
        f"training videos have the same tags ({', '.join(*tags)}); {remedy}"
    )


@dataclass(frozen=True, slots=True)
class RunData:
    """Videos of a run with their digests."""

    training: VideoSet
    """Videos to learn from."""
    training_digest: DataDigest
    """Digest of the training videos."""
    validation_digest: DataDigest | None
    """Digest of the validation videos; None without any."""

    @classmethod
    def of(
        cls,
        training: VideoSet,
        validation: VideoSet | None,
        judge: Judge,
        *,
        learns_times: bool = False,
    ) -> "RunData":
        """Reads every feature file once.

        Args:
            training: Videos to learn from.
            validation: Videos that choose the best epoch.
            judge: Figure that chooses it; annotated times matter if it is one of detection.
            learns_times: Whether annotated times of training videos matter.

        Raises:
            DataError: Features cannot be read, or all validation videos are training videos.
        """
        learned = data_digest(training, with_times=learns_times)
        if validation is None:
            return cls(training, learned, None)
        held_out = data_digest(validation, with_times=judge != "tags")
        warn_of_same_features(learned, held_out)
        return cls(training, learned, held_out)


def fresh_checkpoint(data: RunData, recipe: Recipe, software: str) -> Checkpoint:
    """Returns a checkpoint of fresh weights, before the first epoch.

    Raises:
        DataError: A video's features cannot be used.
    """
    training = data.training
    spec = make_spec(training, recipe, software)
    config = EcmConfig(
        spec.feature_dim,
        len(spec.labels),
        hidden_width=recipe.hidden_width,
        dropout=recipe.dropout,
        shared_classifier=recipe.shared_classifier,
        attention=recipe.attention,
        standardized=recipe.standardize,
    )
    network = initial_network(config, recipe)
    if isinstance(network.standardize, Standardization):
        mean_D, deviation_D = channel_statistics(training)
        network.standardize.mean_D.copy_(torch.from_numpy(mean_D))
        network.standardize.deviation_D.copy_(torch.from_numpy(deviation_D))
    return Checkpoint(
        spec,
        recipe,
        config,
        network.state_dict(),
        {},
        epoch=0,
        training_data=data.training_digest,
        validation_data=data.validation_digest,
    )


def initial_network(config: EcmConfig, recipe: Recipe) -> Ecm:
    """Returns a network with the recipe's initial weights, which depend on its seed alone."""
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


def moving_average(network: Ecm, decay: float | None, epoch: int) -> AveragedModel | None:
    """Returns the exponential moving average of a network's weights; None without a decay.

    Args:
        network: Network whose weights begin the average.
        decay: Weight of the old average in a step.
        epoch: Epochs done before.
    """
    if decay is None:
        return None
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=update).eval()
    average.n_averaged.fill_(epoch)  # at 0, the first update would copy the weights
    return average


def channel_statistics(training: VideoSet) -> tuple[Floats, Floats]:
    """Returns the mean and standard deviation of each channel over all snippets, (D,) each.

    A deviation is at least a hundredth of the mean deviation, or 1 where all are 0. Otherwise a
    nearly constant channel would be scaled up without bound. For instance, deviations 0, 2, 2, 4
    have mean 2 and become 0.02, 2, 2, 4.

    Raises:
        DataError: A video's features cannot be used.
    """
    count, sum_D, squares_D = 0, np.zeros(1), np.zeros(1)
    for video in training.videos:
        features_TD = video.features().astype(np.float64)
        count += len(features_TD)
        sum_D = sum_D + features_TD.sum(axis=0)
        squares_D = squares_D + (features_TD**2).sum(axis=0)
    mean_D = sum_D / count
    deviation_D = np.sqrt(np.maximum(squares_D / count - mean_D**2, 0))
    return mean_D, np.maximum(deviation_D, deviation_D.mean() / 100 or 1.0)


def make_spec(training: VideoSet, recipe: Recipe, software: str) -> ModelSpec:
    """Returns the spec of a network that learns from these videos.

    Raises:
        DataError: A video's features cannot be read, or the videos differ in their channels.
    """
    shapes = [video.features_as_stored().shape for video in training.videos]
    channels = {channels for _, channels in shapes}
    if len(channels) != 1:
        raise DataError(f"{training.source}: features differ in their channels: {sorted(channels)}")
    return ModelSpec(
        labels=training.classes,
        feature_dim=channels.pop(),
        snippets=recipe.snippets or round(float(np.median([snippets for snippets, _ in shapes]))),
        topk_ratio=recipe.objective.topk_ratio,
        activation=recipe.objective.activation,
        sampling=recipe.sampling,
        snippet_s=_common_snippet_s(training, [snippets for snippets, _ in shapes]),
        extractor=training.extractor,
        localization=recipe.localization,
        training_features=feature_statistics(training),
        provenance=Provenance(
            software=software,
            recipe=recipe.to_json(),
            data=training.source,
            training_videos=len(training.videos),
        ),
    )


def _common_snippet_s(training: VideoSet, snippets: list[int]) -> float | None:
    """Returns the median length of a snippet; None where videos differ by over 1 %."""
    lengths_s = [
        SnippetClock.from_duration(duration_s=video.duration_s, snippets=count).snippet_s
        for video, count in zip(training.videos, snippets, strict=True)
    ]
    median_s = float(np.median(lengths_s))
    return median_s if np.ptp(lengths_s) <= SNIPPET_TOLERANCE * median_s else None

"""The oracle: the network of a recipe, taught the true times of its training videos.

Its figures are the ceiling of data, features and network. What tags reach of them is the method's
share; what they leave open cannot be gained by a better way to learn from tags.

Axes: B videos, T snippets, D feature channels, C classes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.errors import DataError
from model.snippets import resample
from training.batches import micro_batches
from training.calibration import calibrated
from training.checkpoint import Checkpoint
from training.configuration.execution import Execution
from training.configuration.recipe import Recipe
from training.datasets.video_record import VideoRecord, VideoSet
from training.initialization import RunData, fresh_checkpoint, learnable_videos
from training.losses import segment_loss
from training.parallel import ProcessGroup
from training.progress import Progress
from training.snippet_targets import snippet_targets, unknown_times


def taught_times(
    training: VideoSet, recipe: Recipe, *, native: bool, device: str, progress: Progress
) -> Checkpoint:
    """Returns the checkpoint of a network that learned the class of every snippet.

    The loss is L_seg alone. Network, optimizer, order, dropout and epochs are those of the recipe;
    its other losses and its moving average have no influence.

    Args:
        training: Videos with known times.
        recipe: Choices of the experiment.
        native: Whether videos keep their length, instead of `snippets` of the recipe.
        device: Device that trains.
        progress: Counts the steps.

    Raises:
        DataError: A video has a tag without times, or its features cannot be used.
    """
    training = learnable_videos(training, recipe)
    start = fresh_checkpoint(RunData.of(training, None, "mAP"), recipe, "")
    length = None if native else start.spec.snippets
    samples = [_sample(video, start.spec.labels, length) for video in training.videos]
    network = start.network().to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), weight_decay=recipe.weight_decay)
    one_by_one = Execution(micro_batch_size=1)
    for epoch in range(recipe.epochs):
        optimizer.param_groups[0]["lr"] = recipe.learning_rate_at(epoch)
        for batch in micro_batches(epoch, len(samples), recipe, one_by_one, ProcessGroup()):
            sample = samples[int(batch.video_B[0])]
            features_BTD, target_BTC = (torch.tensor(part, device=device)[None] for part in sample)
            keys_B = torch.from_numpy(batch.key_B).to(device)
            loss = segment_loss(network(features_BTD, keys_B=keys_B), target_BTC, "sigmoid")
            (loss * batch.weight).backward()  # type: ignore[no-untyped-call]
            if batch.ends_step:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                progress.step()
    taught = replace(start, network_state=network.state_dict(), epoch=recipe.epochs)
    return calibrated(taught, training, device)


def _sample(
    video: VideoRecord, labels: Sequence[str], length: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns the features and the targets of a video's snippets."""
    if timeless := sorted(unknown_times(video)):
        raise DataError(f"video {video.id}: expected times of {timeless[0]!r}, got a tag alone")
    features_TD = video.features()
    target_TC = snippet_targets(video, labels, snippets=len(features_TD))
    if not video.labels:
        target_TC = np.zeros_like(target_TC)  # what is known of a video without any class
    if length is None:
        return features_TD, target_TC
    return resample(features_TD, length), resample(target_TC, length)

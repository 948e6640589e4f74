"""The training loop.

Every random choice is a function of the seed and the number of the epoch, so a run that goes on
from its last checkpoint goes where it would have gone.

Axes: B videos of a step, T snippets, D feature channels, C classes.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from model.errors import DataError, OptionError
from model.features import check_features
from model.localization import topk_mean
from model.localizer import at_inference_length
from model.network import Ecm, EcmConfig
from model.snippets import SnippetClock, resample, sample_one_per_bin
from model.spec import ModelSpec, Provenance
from training.calibration import logit_scale
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from training.datasets.video_record import VideoRecord, VideoSet
from training.evaluation import TorchEngine, predict
from training.metrics import tagging_map
from training.recipe import Recipe

_log = logging.getLogger(__name__)

SNIPPET_TOLERANCE = 0.01
"""Videos agree on a snippet's length if it differs by less than this share."""


def fit(
    training: VideoSet,
    validation: VideoSet | None,
    recipe: Recipe,
    out: Path,
    *,
    device: str = "cpu",
    software: str = "",
) -> Checkpoint:
    """Returns the last checkpoint of a run, which stands in `out` with the best one.

    Goes on where an earlier run in `out` stopped. The best epoch is chosen by the tagging of the
    validation videos, which needs no time stamps.

    Raises:
        DataError: features cannot be used, or no training video has a label.
        OptionError: `out` holds a run of another recipe or other classes.
    """
    training = learnable(training, recipe)
    start = _start(training, recipe, out, software)
    if start.epoch >= recipe.epochs:
        return start
    trainer = _Trainer(start, training, validation, device)
    out.mkdir(parents=True, exist_ok=True)
    with SummaryWriter(str(out)) as board:
        return trainer.run(out, board)


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


def _start(training: VideoSet, recipe: Recipe, out: Path, software: str) -> Checkpoint:
    """Returns the state to begin with: the run's last checkpoint, or fresh weights."""
    if (out / LAST).is_file():
        last = load_checkpoint(out / LAST)
        if replace(last.recipe, epochs=recipe.epochs) != recipe:
            raise OptionError(f"{out} holds a run of another recipe; choose another --out")
        if last.spec.labels != training.classes:
            raise OptionError(f"{out} holds a run with other classes; choose another --out")
        return replace(last, recipe=recipe)
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


class _Trainer:
    """Network, optimizer and data of a run under way."""

    def __init__(
        self, start: Checkpoint, training: VideoSet, validation: VideoSet | None, device: str
    ) -> None:
        self.state = start
        self.recipe = start.recipe
        self.device = device
        self.training = training
        self.validation = validation
        self.labels_VC = torch.from_numpy(training.labels_VC(start.spec.labels))
        self.features = [_read(video, start.spec.feature_dim) for video in training.videos]
        self.network = start.network().to(device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
        )
        if start.optimizer_state:
            self.optimizer.load_state_dict(start.optimizer_state)

    def run(self, out: Path, board: SummaryWriter) -> Checkpoint:
        """Trains the epochs that are missing."""
        epochs = range(self.state.epoch, self.recipe.epochs)
        total = self.recipe.epochs
        bar = tqdm(epochs, initial=self.state.epoch, total=total, unit="epoch", disable=None)
        for epoch in bar:
            losses = self.epoch(epoch)
            score = self.validation_score()
            figures = losses if score is None else losses | {"tagging_mAP": score}
            shown = {name: f"{value:.3f}" for name, value in figures.items()}
            bar.set_postfix(shown)
            if bar.disable:  # not a terminal: lines for a log instead of a bar
                told = ", ".join(f"{name} {value}" for name, value in shown.items())
                _log.info("epoch %d of %d: %s", epoch + 1, total, told)
            for name, value in figures.items():
                board.add_scalar(name, value, epoch + 1)
            self.keep(out, epoch + 1, score)
        return self.state

    def epoch(self, epoch: int) -> dict[str, float]:
        """Trains one epoch and returns the mean of each loss term."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, epoch])
        torch.manual_seed(int(rng.integers(2**62)))
        decayed = recipe.decay_epoch is not None and epoch >= recipe.decay_epoch
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * (0.1 if decayed else 1)
        self.network.train()
        sums: dict[str, float] = {}
        for batch in self.batches(rng):
            features_BTD, labels_BC = self.load(batch, rng)
            losses = recipe.objective.losses(self.network, features_BTD, labels_BC)
            self.optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
            self.optimizer.step()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) * len(batch)
        return {name: value / len(self.features) for name, value in sums.items()}

    def batches(self, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
        """Yields the indices of the videos of each step, all videos once."""
        order = rng.permutation(len(self.features))
        for first in range(0, len(order), self.recipe.batch_size):
            yield order[first : first + self.recipe.batch_size]

    def load(self, batch: NDArray[np.intp], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Returns features (B, T, D) at the training length and labels (B, C)."""
        features = [self.sample(self.features[index], rng) for index in batch]
        features_BTD = torch.from_numpy(np.stack(features))
        return features_BTD.to(self.device), self.labels_VC[batch].to(self.device)

    def sample(
        self, features_TD: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Returns a video's features at the training length."""
        if self.recipe.training_sampling == "linear":
            return resample(features_TD, self.recipe.snippets)
        return features_TD[sample_one_per_bin(len(features_TD), self.recipe.snippets, rng)]

    def validation_score(self) -> float | None:
        """Returns the tagging mAP on the validation videos, None without any."""
        if self.validation is None:
            return None
        self.network.eval()
        engine = TorchEngine(self.network, self.device)
        results = predict(engine, self.state.spec, self.validation.videos)
        scores_VC = np.array([result.class_scores_C for _, result in results])
        return tagging_map(scores_VC, self.validation.labels_VC(self.state.spec.labels))

    def logit_scale(self) -> float:
        """Returns the scale that fits the training tags, for a network that learned no other."""
        self.network.eval()
        engine, spec = TorchEngine(self.network, self.device), self.state.spec
        inputs = (at_inference_length(features_TD, spec) for features_TD in self.features)
        logits_VC = np.array([topk_mean(engine.cas(video), spec.topk_ratio) for video in inputs])
        return logit_scale(logits_VC, self.labels_VC.numpy(), spec.activation)

    def keep(self, out: Path, epoch: int, score: float | None) -> None:
        """Writes the last checkpoint, and the best one where this epoch is it."""
        best = self.state.best_score
        better = score is not None and (best is None or score >= best)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        spec = replace(
            self.state.spec,
            provenance=replace(self.state.spec.provenance, created=now, epoch=epoch),
            logit_scale=1.0 if self.recipe.objective.pre else self.logit_scale(),
            evaluation={},
        )
        self.state = replace(
            self.state,
            spec=spec,
            network_state=self.network.state_dict(),
            optimizer_state=self.optimizer.state_dict(),
            epoch=epoch,
            best_score=score if better else best,
        )
        save_checkpoint(self.state, out / LAST)
        if better:
            save_checkpoint(self.state, out / BEST)


def _read(video: VideoRecord, feature_dim: int) -> NDArray[np.float32]:
    try:
        return check_features(video.features(), feature_dim=feature_dim)
    except ValueError as error:
        raise DataError(f"video {video.id}: {error}") from error

"""The training loop: `fit` runs epochs of micro-batches and steps, and validates and saves each.

Every random choice depends on seed, epoch and video alone. A run that resumes from its last
checkpoint therefore ends with the weights of an unbroken run, and several processes end with the
weights of one.

Axes: B videos of a micro-batch, T snippets, D feature channels, C classes, V training videos.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.errors import OptionError
from model.localize import topk_mean
from model.network import Ecm
from model.predict import at_inference_length
from model.spec import ModelSpec
from training.batches import MicroBatch, TrainingFeatures, micro_batches, steps_per_epoch
from training.calibration import display_min_score, logit_scale
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from training.datasets.video_record import VideoSet
from training.evaluation import TorchEngine, best_segment_scores, validation_score
from training.execution import Execution
from training.initialization import initial_checkpoint, learnable_videos
from training.losses import LossTerms, balancing_weights
from training.parallel import ProcessGroup
from training.progress import Progress, show_progress
from training.recipe import Recipe


def fit(
    training: VideoSet,
    validation: VideoSet | None,
    recipe: Recipe,
    out: Path,
    *,
    execution: Execution | None = None,
    group: ProcessGroup | None = None,
    software: str = "",
) -> Checkpoint:
    """Trains a network, or resumes the run in `out`, and returns its last checkpoint.

    Args:
        training: Videos to learn from; only their labels count.
        validation: Videos that choose the best epoch; None keeps only the last epoch.
        recipe: Choices of the experiment.
        out: Folder of the run, for its checkpoints and TensorBoard's events.
        execution: Choices of the machine.
        group: Processes that train together; this process alone if not given.
        software: Name and version of this software, for the provenance.

    Raises:
        DataError: Features cannot be used, or no training video has a label.
        OptionError: `out` holds a run of another recipe or of other classes.
    """
    if recipe.patience is not None and validation is None:
        raise OptionError("patience needs validation videos, and there are none")
    training = learnable_videos(training, recipe)
    checkpoint = initial_checkpoint(training, recipe, out, software)
    if checkpoint.finished:
        return checkpoint
    group = group or ProcessGroup()
    run = _Run(checkpoint, training, validation, execution or Execution(), group)
    epoch, steps = checkpoint.epoch, steps_per_epoch(len(training.videos), recipe)
    with show_progress(out, recipe, epoch=epoch, steps=steps, is_main=group.is_main) as progress:
        while not run.checkpoint.finished:
            learning_rate = recipe.learning_rate_at(run.checkpoint.epoch)
            losses = run.epoch(learning_rate, progress)
            spec = run.describe()
            score = run.validate(spec)
            run.save(out, spec, score)
            progress.epoch(run.checkpoint.epoch, losses, score, learning_rate)
    return run.checkpoint


class _Run:
    """Data, network and optimizer of a run under way."""

    def __init__(
        self,
        start: Checkpoint,
        training: VideoSet,
        validation: VideoSet | None,
        execution: Execution,
        group: ProcessGroup,
    ) -> None:
        recipe, spec = start.recipe, start.spec
        self.checkpoint, self.recipe = start, recipe
        self.training, self.validation = training, validation
        self.execution, self.group = execution, group
        self.device = execution.torch_device()
        self.labels_VC = torch.from_numpy(training.labels_VC(spec.labels))
        self.features = TrainingFeatures(
            training.videos,
            recipe,
            execution,
            feature_dim=spec.feature_dim,
            snippets=spec.snippets,
        )
        self.network = start.network().to(self.device)
        self.average = _moving_average(self.network, recipe.ema_decay, start.epoch)
        if start.raw_state:
            self.network.load_state_dict(start.raw_state)
        self.loss_terms = self._loss_terms()
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        if start.optimizer_state:
            self.optimizer.load_state_dict(start.optimizer_state)

    def _loss_terms(self) -> Any:  # torch.compile returns a callable without a useful type
        """Returns the network with its losses, shared among processes and compiled as wanted."""
        objective = self.recipe.objective
        weight_C = None
        if objective.class_weights == "balanced":
            weight_C = balancing_weights(self.labels_VC, objective.activation).to(self.device)
        in_bf16 = self.recipe.precision == "bf16"
        terms = LossTerms(self.network, objective, weight_C=weight_C, in_bf16=in_bf16)
        # Without the post-classification stream, the transition gets no gradient.
        unused = not objective.classifies_aggregated
        shared = self.group.share_gradients(terms, find_unused_parameters=unused)
        return torch.compile(shared) if self.execution.compile else shared

    def epoch(self, learning_rate: float, progress: Progress) -> dict[str, float]:
        """Trains one epoch and returns the mean of each loss term over the videos."""
        videos = len(self.training.videos)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = learning_rate
        self.network.train()
        sums: dict[str, Tensor] = {}
        batches = micro_batches(
            self.checkpoint.epoch, videos, self.recipe, self.execution, self.group
        )
        for batch, features_BTD in self.features.prefetched(batches):
            for name, loss in self.batch(batch, features_BTD).items():
                own = loss.detach() * len(batch.video_B) * bool(batch.weight)
                sums[name] = sums.get(name, 0) + own
            if batch.ends_step:
                self.step()
                progress.step()
        return {name: float(self.group.sum(total)) / videos for name, total in sums.items()}

    def batch(self, batch: MicroBatch, features_BTD: Tensor) -> dict[str, Tensor]:
        """Adds the gradient of a micro-batch and returns its loss terms."""
        with self.group.gradient_sync(self.loss_terms, enabled=batch.ends_step):
            losses: dict[str, Tensor] = self.loss_terms(
                features_BTD.to(self.device, non_blocking=True),
                self.labels_VC[batch.video_B].to(self.device),
                torch.from_numpy(batch.key_B).to(self.device),
            )
            # The group averages gradients over its processes, but a step needs their sum.
            loss = losses["total"] * (batch.weight * self.group.size)
            loss.backward()  # type: ignore[no-untyped-call]
        return losses

    def step(self) -> None:
        """Updates the weights and their moving average."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def describe(self) -> ModelSpec:
        """Returns the spec of the network as it is after the epoch under way."""
        spec = self.checkpoint.spec
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return replace(
            spec,
            provenance=replace(spec.provenance, created=now, epoch=self.checkpoint.epoch + 1),
            logit_scale=1.0 if self.recipe.objective.pre else self._logit_scale(),
            evaluation={},
            display_min_score=None,
        )

    def validate(self, spec: ModelSpec) -> float | None:
        """Returns the score of the network on the validation videos; None without any."""
        if self.validation is None:
            return None
        score = None
        if self.group.is_main:
            engine = TorchEngine(self.result.eval(), self.device)
            score = validation_score(engine, spec, self.validation, self.recipe.judge)
        return self.group.from_main(score)

    def save(self, out: Path, spec: ModelSpec, score: float | None) -> None:
        """Stores the state after the epoch; rank 0 writes it to disk, as best.pt first."""
        last, epoch = self.checkpoint, self.checkpoint.epoch + 1
        is_best = score is not None and (last.best_score is None or score >= last.best_score)
        improved = is_best and score != last.best_score
        self.checkpoint = replace(
            last,
            spec=spec,
            network_state=self.result.state_dict(),
            raw_state={} if self.average is None else self.network.state_dict(),
            optimizer_state=self.optimizer.state_dict(),
            epoch=epoch,
            best_score=score if improved else last.best_score,
            improved_epoch=epoch if improved else last.improved_epoch,
        )
        if self.checkpoint.finished:
            self._choose_display_score(None if is_best else out / BEST)
        if self.group.is_main:
            if is_best:
                save_checkpoint(self.checkpoint, out / BEST)
            save_checkpoint(self.checkpoint, out / LAST)

    @property
    def result(self) -> Ecm:
        """The network to keep: the averaged one, where the recipe wants it."""
        return self.network if self.average is None else cast("Ecm", self.average.module)

    def _logit_scale(self) -> float:
        """Returns the scale that fits the training tags, for a network that learned no other."""
        engine, spec = TorchEngine(self.result.eval(), self.device), self.checkpoint.spec
        natives = (self.features.native(video) for video in self.training.videos)
        inputs = (at_inference_length(features_TD, spec) for features_TD in natives)
        logits_VC = np.array([topk_mean(engine.cas(video), spec.topk_ratio) for video in inputs])
        return logit_scale(logits_VC, self.labels_VC.numpy(), spec.activation)

    def _choose_display_score(self, best: Path | None) -> None:
        """Adds `display_min_score` to the final checkpoint, and to `best` if that is a file."""
        spec = self.checkpoint.spec
        if self.group.is_main:
            spec = self._with_display_score(self.checkpoint).spec
            if best and best.is_file():
                save_checkpoint(self._with_display_score(load_checkpoint(best)), best)
        self.checkpoint = replace(self.checkpoint, spec=self.group.from_main(spec))

    def _with_display_score(self, checkpoint: Checkpoint) -> Checkpoint:
        engine = TorchEngine(checkpoint.network().to(self.device), self.device)
        best_VC = best_segment_scores(engine, checkpoint.spec, self.training.videos)
        score = display_min_score(best_VC, self.labels_VC.numpy())
        return replace(checkpoint, spec=replace(checkpoint.spec, display_min_score=score))


def _moving_average(network: Ecm, decay: float | None, epoch: int) -> AveragedModel | None:
    """Returns the moving average of the weights; None where the recipe has no `ema_decay`."""
    if decay is None:
        return None
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=update).eval()
    average.n_averaged.fill_(epoch)  # at 0, the first update copies the weights
    return average

"""The training loop: `fit` runs epochs of micro-batches and steps, and validates and saves each.

Every random choice depends on seed, epoch and video alone. A run that resumes from its last
checkpoint therefore ends with the weights of an unbroken run, and several processes end with the
weights of one.

Axes: B videos of a micro-batch, T snippets, D feature channels, C classes, V training videos.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from model.errors import OptionError
from model.network import Ecm
from model.spec import ModelSpec
from training.batches import MicroBatch, Samples, TrainingFeatures, micro_batches, steps_per_epoch
from training.calibration import calibrated, logit_scale, training_logits, with_class_threshold
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, remove_run, save_checkpoint
from training.configuration.execution import Execution
from training.configuration.recipe import Recipe
from training.cross_validation.calibrate import Calibrated, calibrated_out_of_fold
from training.datasets.video_record import VideoSet
from training.initialization import RunData, fresh_checkpoint, learnable_videos, moving_average
from training.losses import LossTerms
from training.measurement.evaluation import TorchEngine, validation_score
from training.parallel import ProcessGroup
from training.progress import Progress, show_progress, step_bar
from training.resumption import initial_checkpoint
from training.snippet_targets import require_segments


def fit(
    training: VideoSet,
    validation: VideoSet | None,
    recipe: Recipe,
    out: Path,
    *,
    execution: Execution | None = None,
    group: ProcessGroup | None = None,
    software: str = "",
    retrain: bool = False,
) -> Checkpoint:
    """Trains a network, or resumes the run in `out`, and returns its last checkpoint.

    Args:
        training: Videos to learn from; only their labels count, unless the recipe uses segments.
        validation: Videos that choose the best epoch; None keeps only the last epoch.
        recipe: Choices of the experiment.
        out: Folder of the run, for its checkpoints and TensorBoard's events.
        execution: Choices of the machine.
        group: Processes that train together; this process alone if not given.
        software: Name and version of this software, for the provenance.
        retrain: Whether a run in `out` is removed instead of resumed.

    Raises:
        DataError: Features cannot be used, no training video has a label, or the recipe learns
            from segments that are absent or outside of their video.
        OptionError: `out` contains a run of another recipe, other classes or other data, or another
            process trains there.
    """
    if recipe.patience is not None and validation is None:
        raise OptionError("patience needs validation videos, and there are none")
    training = learnable_videos(training, recipe)
    learns_times = recipe.segments == "use"
    if learns_times:
        require_segments(training)
    group = group or ProcessGroup()
    with _lock(out, group):
        checkpoint = group.from_main(  # each file of features is read by one process alone
            lambda: initial_checkpoint(
                RunData.of(training, validation, recipe.judge, learns_times=learns_times),
                recipe,
                out,
                software,
                retrain=retrain,
            )
        )
        if checkpoint.finished:
            return checkpoint
        if retrain and group.is_main:
            remove_run(out)
        run = _Run(checkpoint, training, validation, execution or Execution(), group)
        return run.to_end(out)


def trained(
    training: VideoSet, recipe: Recipe, *, execution: Execution, progress: Progress
) -> Checkpoint:
    """Returns the checkpoint after the last epoch of a training that writes nothing.

    Args:
        training: Videos to learn from.
        recipe: Choices of the experiment.
        execution: Choices of the machine.
        progress: Counts the steps.

    Raises:
        DataError: Features cannot be used, or no training video has a label.
    """
    training = learnable_videos(training, recipe)
    start = fresh_checkpoint(RunData.of(training, None, recipe.judge), recipe, "")
    run = _Run(start, training, None, execution, ProcessGroup())
    while not run.checkpoint.finished:
        run.epoch(recipe.learning_rate_at(run.checkpoint.epoch), progress)
        run.advance(start.spec, None)
    return replace(run.checkpoint, spec=run.describe())


def finishing(
    training: VideoSet, recipe: Recipe, execution: Execution
) -> Callable[[Checkpoint], Checkpoint]:
    """Returns a function that calibrates checkpoints of a run, after training its folds if wanted.

    The networks of the folds have all epochs of the recipe, because a network's certainty grows
    with each epoch. This process trains them alone.

    Args:
        training: Videos that the run learned from.
        recipe: Recipe of the run.
        execution: Choices of the machine.

    Raises:
        DataError: Features cannot be used.
    """
    device, folds = execution.torch_device(), recipe.calibration_folds
    if folds:
        of_folds = replace(recipe, patience=None, judge="tags")
        steps = steps_per_epoch(len(training.videos), recipe) * recipe.epochs * folds
        with step_bar(of_folds, name="calibration", steps=steps) as progress:
            train = partial(trained, recipe=of_folds, execution=execution, progress=progress)
            found = calibrated_out_of_fold(training, recipe, train, device)
        if found is not None:
            return lambda checkpoint: with_calibration(checkpoint, found, training, device)
    return lambda checkpoint: calibrated(checkpoint, training, device)


def with_calibration(
    checkpoint: Checkpoint, found: Calibrated, training: VideoSet, device: str
) -> Checkpoint:
    """Returns a checkpoint with a calibration.

    The threshold is lowered where a class would not pass on its own training videos, because the
    networks of the folds may be surer of a class than this one.
    """
    engine = TorchEngine(checkpoint.network().to(device), device)
    spec = found.applied(checkpoint.spec)
    spec = with_class_threshold(engine, spec, training, checkpoint.recipe, found.class_threshold)
    return replace(checkpoint, spec=spec)


def _lock(out: Path, group: ProcessGroup) -> AbstractContextManager[None]:
    """Keeps the folder of a run to this process group; rank 0 holds the lock."""
    if not group.is_main or sys.platform == "win32":
        return nullcontext()
    from features.folder_lock import locked  # here, because Windows has no such locks

    return locked(out, wait=False)


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
        self.checkpoint, self.recipe = start, start.recipe
        self.training, self.validation = training, validation
        self.execution, self.group = execution, group
        self.device = execution.torch_device()
        self.features = TrainingFeatures(training.videos, self.recipe, execution, start.spec)
        self.labels_VC = torch.from_numpy(training.labels_VC(start.spec.labels))
        self.network = start.network().to(self.device)
        self.average = moving_average(self.network, self.recipe.ema_decay, start.epoch)
        if start.raw_state:
            self.network.load_state_dict(start.raw_state)
        self.losses = self._losses()
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
        )
        if start.optimizer_state:
            self.optimizer.load_state_dict(start.optimizer_state)

    def _losses(self) -> Any:  # the type of what torch.compile returns is of no use
        """Returns the network with its losses, shared among processes and compiled if wanted."""
        objective, in_bf16 = self.recipe.objective, self.recipe.precision == "bf16"
        losses = LossTerms(self.network, objective, self.labels_VC, in_bf16=in_bf16)
        # Without the post-classification stream, the weight transition gets no gradient.
        unused = not objective.classifies_aggregated
        shared = self.group.share_gradients(losses, find_unused_parameters=unused)
        return torch.compile(shared) if self.execution.compile else shared

    def to_end(self, out: Path) -> Checkpoint:
        """Trains the epochs that are left, stores each, and returns the last checkpoint."""
        recipe, is_main = self.recipe, self.group.is_main
        epoch, steps = self.checkpoint.epoch, steps_per_epoch(len(self.training.videos), recipe)
        with show_progress(out, recipe, epoch=epoch, steps=steps, is_main=is_main) as progress:
            while not self.checkpoint.finished:
                learning_rate = recipe.learning_rate_at(self.checkpoint.epoch)
                losses = self.epoch(learning_rate, progress)
                spec = self.describe()
                score = self.validate(spec)
                self.save(out, spec, score)
                progress.epoch(self.checkpoint.epoch, losses, score, learning_rate)
        return self.checkpoint

    @property
    def result(self) -> Ecm:
        """The network to keep: the averaged one, where the recipe wants it."""
        return self.network if self.average is None else cast("Ecm", self.average.module)

    def epoch(self, learning_rate: float, progress: Progress) -> dict[str, float]:
        """Trains one epoch and returns the mean of each loss term over the videos."""
        epoch, videos = self.checkpoint.epoch, len(self.training.videos)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = learning_rate
        self.network.train()
        sums: dict[str, Tensor] = {}
        batches = micro_batches(epoch, videos, self.recipe, self.execution, self.group)
        for batch, samples in self.features.prefetched(batches):
            for name, loss in self.batch(batch, samples).items():
                own = loss.detach() * len(batch.video_B) * bool(batch.weight)
                sums[name] = sums.get(name, 0) + own
            if batch.ends_step:
                self.step()
                progress.step()
        return {name: float(self.group.sum(total)) / videos for name, total in sums.items()}

    def batch(self, batch: MicroBatch, samples: Samples) -> dict[str, Tensor]:
        """Adds the gradient of a micro-batch and returns its loss terms."""
        target_BTC = samples.target_BTC
        with self.group.gradient_sync(self.losses, enabled=batch.ends_step):
            losses: dict[str, Tensor] = self.losses(
                samples.features_BTD.to(self.device, non_blocking=True),
                self.labels_VC[batch.video_B].to(self.device),
                torch.from_numpy(batch.key_B).to(self.device),
                None if target_BTC is None else target_BTC.to(self.device, non_blocking=True),
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
        spec, recipe = self.checkpoint.spec, self.recipe
        spec = replace(spec, logit_scale=1.0, localization=recipe.localization)
        engine = TorchEngine(self.result.eval(), self.device)
        if not recipe.objective.pre:  # no loss determines the scale of the snippets' logits
            logits_VC = training_logits(engine, spec, self.training)
            labels_VC = self.training.labels_VC(spec.labels)
            scale = logit_scale(logits_VC, labels_VC, spec.activation)
            spec = replace(spec, logit_scale=scale)
        if recipe.judge != "tags":  # detection depends on the threshold
            spec = with_class_threshold(engine, spec, self.training, recipe)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        provenance = replace(spec.provenance, created=now, epoch=self.checkpoint.epoch + 1)
        return replace(
            spec, provenance=provenance, evaluation={}, display_min_score=None, calibration=None
        )

    def validate(self, spec: ModelSpec) -> float | None:
        """Returns the score of the network on the validation videos; None without any."""
        if self.validation is None:
            return None
        engine = TorchEngine(self.result.eval(), self.device)
        score = partial(validation_score, engine, spec, self.validation, self.recipe.judge)
        return self.group.from_main(score)

    def advance(self, spec: ModelSpec, score: float | None) -> None:
        """Makes the state after an epoch that of the run."""
        self.checkpoint = self.checkpoint.after_epoch(
            spec,
            score,
            network_state=self.result.state_dict(),
            raw_state={} if self.average is None else self.network.state_dict(),
            optimizer_state=self.optimizer.state_dict(),
        )

    def save(self, out: Path, spec: ModelSpec, score: float | None) -> None:
        """Stores the state after the epoch; rank 0 writes it, last.pt after best.pt."""
        is_best = self.checkpoint.is_best(score)
        self.advance(spec, score)
        if self.checkpoint.finished:
            spec = self.group.from_main(partial(self._finish, None if is_best else out / BEST))
            self.checkpoint = replace(self.checkpoint, spec=spec)
        if self.group.is_main:
            if is_best:
                save_checkpoint(self.checkpoint, out / BEST)
            save_checkpoint(self.checkpoint, out / LAST)

    def _finish(self, best: Path | None) -> ModelSpec:
        """Returns the final spec, calibrated, and calibrates that in `best` if there is one.

        The file `best` is written now because a run whose last.pt is finished is not resumed.
        """
        finish = finishing(self.training, self.recipe, self.execution)
        if best and best.is_file():
            save_checkpoint(finish(load_checkpoint(best)), best)
        return finish(self.checkpoint).spec

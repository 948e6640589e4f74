"""The training loop.

Every random choice is a function of the seed, the number of the epoch and the video, so a run that
goes on from its last checkpoint goes where it would have gone, and several processes go where one
would have gone.

Axes: B videos of a portion, T snippets, D feature channels, C classes, V videos.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from model.errors import OptionError
from model.localization import topk_mean
from model.localizer import at_inference_length
from model.network import Ecm
from model.spec import ModelSpec
from training.calibration import logit_scale
from training.checkpoint import BEST, LAST, Checkpoint, save_checkpoint
from training.datasets.video_record import VideoSet
from training.evaluation import TorchEngine, validation_score
from training.execution import Execution
from training.loading import Portion, TrainingFeatures, portions, steps_per_epoch
from training.losses import balancing_weights
from training.preparation import beginning, learnable
from training.recipe import Recipe
from training.world import World

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_log = logging.getLogger(__name__)


def fit(
    training: VideoSet,
    validation: VideoSet | None,
    recipe: Recipe,
    out: Path,
    *,
    execution: Execution | None = None,
    world: World | None = None,
    software: str = "",
) -> Checkpoint:
    """Returns the last checkpoint of a run, which stands in `out` with the best one.

    Goes on where an earlier run in `out` stopped. The best epoch is chosen on the validation
    videos, by their tags unless the recipe says otherwise.

    Args:
        training: to learn from; only tags count.
        validation: to choose the best epoch; None keeps the last alone.
        recipe: what to compute.
        out: folder of the run.
        execution: how to compute it.
        world: this process among those that train together.
        software: name and version, for the provenance.

    Raises:
        DataError: features cannot be used, or no training video has a label.
        OptionError: `out` holds a run of another recipe or other classes.
    """
    if recipe.patience is not None and validation is None:
        raise OptionError("patience needs validation videos, and there are none")
    training = learnable(training, recipe)
    start = beginning(training, recipe, out, software)
    if start.finished:
        return start
    world = world or World()
    trainer = _Trainer(start, training, validation, execution or Execution(), world)
    if not world.leads:
        return trainer.run(out, None)
    out.mkdir(parents=True, exist_ok=True)
    with _board(out) as board:
        return trainer.run(out, board)


@contextmanager
def _board(out: Path) -> Iterator["SummaryWriter | None"]:
    """Gives what draws the run's curves; None, with a warning, where TensorBoard is absent."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        _log.warning("the run has no curves for TensorBoard: %s", error)
        yield None
        return
    with SummaryWriter(str(out)) as board:
        yield board


class _Step(nn.Module):
    """Features to loss terms: what torch.compile and DistributedDataParallel wrap."""

    def __init__(self, network: Ecm, recipe: Recipe, weight_C: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.objective = recipe.objective
        self.in_bf16 = recipe.precision == "bf16"
        self.weight_C = weight_C

    def forward(self, features_BTD: Tensor, labels_BC: Tensor, keys_B: Tensor) -> dict[str, Tensor]:
        with torch.autocast(features_BTD.device.type, torch.bfloat16, enabled=self.in_bf16):
            scores = self.objective.scores(self.network, features_BTD, labels_BC, keys_B)
        return self.objective.terms(scores.in_fp32(), labels_BC, self.weight_C)


class _Trainer:
    """Network, optimizer and data of a run under way."""

    def __init__(
        self,
        start: Checkpoint,
        training: VideoSet,
        validation: VideoSet | None,
        execution: Execution,
        world: World,
    ) -> None:
        self.state, self.recipe = start, start.recipe
        self.training, self.validation = training, validation
        self.execution, self.world = execution, world
        self.device = execution.torch_device()
        self.labels_VC = torch.from_numpy(training.labels_VC(start.spec.labels))
        self.features = TrainingFeatures(
            training.videos,
            self.recipe,
            execution,
            feature_dim=start.spec.feature_dim,
            snippets=start.spec.snippets,
        )
        self.network = start.network().to(self.device)
        self.average = self.averaged(self.network)
        if start.raw_state:
            self.network.load_state_dict(start.raw_state)
        self.step = self.wrapped(self.network)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
        )
        if start.optimizer_state:
            self.optimizer.load_state_dict(start.optimizer_state)

    def averaged(self, network: Ecm) -> AveragedModel | None:
        """Returns what keeps the moving average of the weights, None where none is wanted."""
        if self.recipe.ema_decay is None:
            return None
        mean = get_ema_multi_avg_fn(self.recipe.ema_decay)  # type: ignore[no-untyped-call]
        average = AveragedModel(network, multi_avg_fn=mean).eval()
        average.n_averaged.fill_(self.state.epoch)  # 0 means that there is nothing to average with
        return average

    def wrapped(self, network: Ecm) -> Any:  # torch types what it wraps as no module
        """Returns the step, shared among the processes and compiled where that is wanted."""
        weight_C = None
        if self.recipe.objective.class_weights == "balanced":
            activation = self.recipe.objective.activation
            weight_C = balancing_weights(self.labels_VC, activation).to(self.device)
        step: Any = _Step(network, self.recipe, weight_C)
        if self.world.size > 1:
            idle = not self.recipe.objective.classifies_aggregated  # the transition has no gradient
            step = DistributedDataParallel(step, find_unused_parameters=idle)
        return torch.compile(step) if self.execution.compile else step

    @property
    def result(self) -> Ecm:
        """The network that counts: the averaged one, where there is one."""
        return self.network if self.average is None else cast("Ecm", self.average.module)

    def run(self, out: Path, board: "SummaryWriter | None") -> Checkpoint:
        """Trains the epochs that are missing; the leading process writes and reports."""
        steps = steps_per_epoch(len(self.training.videos), self.recipe)
        total, begun = self.recipe.epochs, time.monotonic()
        with tqdm(
            initial=self.state.epoch * steps,
            total=total * steps,
            unit="step",
            disable=None if self.world.leads else True,
        ) as bar:
            first = self.state.epoch
            while not self.state.finished:
                figures = self.epoch(bar)
                self.complete(out if self.world.leads else None, figures)
                if self.world.leads:
                    pace = (time.monotonic() - begun) / (self.state.epoch - first)
                    left = timedelta(seconds=round(pace * (total - self.state.epoch)))
                    self.report(figures, board, bar, left)
        return self.state

    def epoch(self, bar: "tqdm[Any]") -> dict[str, float]:
        """Trains one epoch and returns the mean of each loss term."""
        epoch = self.state.epoch
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_at(epoch)
        self.network.train()
        sums: dict[str, Tensor] = {}
        work = portions(epoch, len(self.training.videos), self.recipe, self.execution, self.world)
        for portion, features_BTD in self.features.prefetched(work):
            for name, value in self.learn(portion, features_BTD).items():
                share = value.detach() * len(portion.videos) * bool(portion.weight)
                sums[name] = sums.get(name, 0) + share
            bar.update(portion.ends_step)
        videos = len(self.training.videos)
        return {name: float(self.world.sum(value)) / videos for name, value in sums.items()}

    def learn(self, portion: Portion, features_BTD: Tensor) -> dict[str, Tensor]:
        """Adds a portion's gradient, updates the weights if it ends a step; returns its losses."""
        with self.unshared(portion):
            losses = self.step(
                features_BTD.to(self.device, non_blocking=True),
                self.labels_VC[portion.videos].to(self.device),
                torch.from_numpy(portion.keys_B).to(self.device),
            )
            # Gradients of several processes are averaged; a step wants their sum.
            (losses["total"] * (portion.weight * self.world.size)).backward()
        if portion.ends_step:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            if self.average is not None:
                self.average.update_parameters(self.network)
        return losses

    def unshared(self, portion: Portion) -> AbstractContextManager[None]:
        """Lets processes add up gradients for themselves until a step ends."""
        if self.world.size > 1 and not portion.ends_step:
            return self.step.no_sync()
        return nullcontext()

    def complete(self, out: Path | None, figures: dict[str, float]) -> None:
        """Judges the epoch and keeps its state, on disk where `out` is given."""
        spec = self.described()
        score = self.judged(spec)
        if score is not None:
            figures["tagging_mAP" if self.recipe.judge == "tags" else self.recipe.judge] = score
        best, epoch = self.state.best_score, self.state.epoch + 1
        improved = score is not None and (best is None or score > best)
        as_good = improved or (score is not None and score == best)
        self.state = replace(
            self.state,
            spec=spec,
            network_state=self.result.state_dict(),
            raw_state={} if self.average is None else self.network.state_dict(),
            optimizer_state=self.optimizer.state_dict(),
            epoch=epoch,
            best_score=score if improved else best,
            improved_epoch=epoch if improved else self.state.improved_epoch,
        )
        if out:
            save_checkpoint(self.state, out / LAST)
            if as_good:
                save_checkpoint(self.state, out / BEST)

    def judged(self, spec: ModelSpec) -> float | None:
        """Returns the validation score, None without validation videos."""
        if self.validation is None:
            return None
        score = None
        if self.world.leads:
            engine = TorchEngine(self.result.eval(), self.device)
            score = validation_score(engine, spec, self.validation, self.recipe.judge)
        return self.world.from_leader(score)

    def described(self) -> ModelSpec:
        """Returns the spec of the network as it is after the epoch under way."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        old = self.state.spec
        return replace(
            old,
            provenance=replace(old.provenance, created=now, epoch=self.state.epoch + 1),
            logit_scale=1.0 if self.recipe.objective.pre else self.logit_scale(),
            evaluation={},
        )

    def logit_scale(self) -> float:
        """Returns the scale that fits the training tags, for a network that learned no other."""
        engine, spec = TorchEngine(self.result.eval(), self.device), self.state.spec
        natives = (self.features.native(video) for video in self.training.videos)
        inputs = (at_inference_length(features_TD, spec) for features_TD in natives)
        logits_VC = np.array([topk_mean(engine.cas(video), spec.topk_ratio) for video in inputs])
        return logit_scale(logits_VC, self.labels_VC.numpy(), spec.activation)

    def report(
        self,
        figures: dict[str, float],
        board: "SummaryWriter | None",
        bar: "tqdm[Any]",
        left: timedelta,
    ) -> None:
        """Shows the figures of an epoch: on the bar or in the log, and on TensorBoard."""
        shown = {name: f"{value:.3f}" for name, value in figures.items()}
        bar.set_postfix(shown)
        if bar.disable:  # not a terminal: lines for a log instead of a bar
            told = ", ".join(f"{name} {value}" for name, value in shown.items())
            done = f"epoch {self.state.epoch} of {self.recipe.epochs}"
            _log.info("%s: %s, %s left", done, told, left)
        if board:
            for name, value in figures.items():
                board.add_scalar(name, value, self.state.epoch)

"""Progress of a run: a bar in a terminal, log lines elsewhere, and curves for TensorBoard."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from tensorboard.plugins.scalar.summary_v2 import scalar_pb  # type: ignore[import-untyped]
from torch.utils.tensorboard import FileWriter
from tqdm import tqdm

from training.recipe import Recipe

_log = logging.getLogger(__name__)

Bar: TypeAlias = "tqdm[Any]"

CURVES = {
    "total": "Weighted sum of the loss terms (Eq. 5), mean over the training videos.",
    "cls_pre": "L_cls,e: classification loss of the pre-classification stream.",
    "cls_post": "L_cls,o: classification loss of the post-classification stream.",
    "c2c": "L_c2c: mean squared difference of the logits of both streams (Eq. 3).",
    "a2c": "L_a2c: contrast of action and absence (Eq. 4).",
    "tagging_mAP": "Mean average precision of the video-level scores on the validation videos.",
    "mAP@0.5": "Detection mAP at tIoU 0.5 on the validation videos.",
    "mAP": "Detection mAP averaged over tIoU 0.5:0.05:0.95 on the validation videos.",
    "learning_rate": "Learning rate of Adam in the epoch.",
}
"""Description of each curve by its name; TensorBoard shows them as Markdown."""


class Progress:
    """Shows the steps and epochs of a run."""

    def __init__(self, bar: Bar, curves: FileWriter | None, recipe: Recipe, epoch: int) -> None:
        """Starts the clock.

        Args:
            bar: Bar that counts steps; a disabled one is replaced by log lines.
            curves: TensorBoard's event file; None shows nothing at the end of an epoch.
            recipe: Recipe of the run.
            epoch: Epochs done before.
        """
        self._bar, self._curves, self._recipe = bar, curves, recipe
        self._first = epoch
        self._started_s = time.monotonic()

    def step(self) -> None:
        """Counts one step."""
        self._bar.update()

    def epoch(
        self, epoch: int, losses: Mapping[str, float], score: float | None, learning_rate: float
    ) -> None:
        """Shows an epoch, counted from 1: its losses, validation score and learning rate."""
        if self._curves is None:
            return
        figures = dict(losses)
        if score is not None:
            figures["tagging_mAP" if self._recipe.judge == "tags" else self._recipe.judge] = score
        texts = {name: f"{value:.3f}" for name, value in figures.items()}
        self._bar.set_postfix(texts)
        if self._bar.disable:
            done, left = f"epoch {epoch} of {self._recipe.epochs}", self._time_left(epoch)
            line = ", ".join(f"{name} {text}" for name, text in texts.items())
            _log.info("%s: %s, %s left", done, line, left)
        for name, value in {**figures, "learning_rate": learning_rate}.items():
            self._curves.add_summary(scalar_pb(name, value, CURVES.get(name, "")), epoch)

    def _time_left(self, epoch: int) -> timedelta:
        epoch_s = (time.monotonic() - self._started_s) / (epoch - self._first)
        return timedelta(seconds=round(epoch_s * (self._recipe.epochs - epoch)))


@contextmanager
def show_progress(
    out: Path, recipe: Recipe, *, epoch: int, steps: int, is_main: bool
) -> Iterator[Progress]:
    """Opens the bar, and the event file in `out`; only rank 0 shows anything.

    Args:
        out: Folder of the run.
        recipe: Recipe of the run.
        epoch: Epochs done before.
        steps: Steps of an epoch.
        is_main: Whether this process is rank 0.
    """
    done, total = epoch * steps, recipe.epochs * steps
    disable = None if is_main else True  # None: only where the output is no terminal
    with tqdm(initial=done, total=total, unit="step", disable=disable) as bar:
        if not is_main:
            yield Progress(bar, None, recipe, epoch)
            return
        out.mkdir(parents=True, exist_ok=True)
        with closing(FileWriter(str(out))) as curves:
            yield Progress(bar, curves, recipe, epoch)

"""Progress of a run: a bar in a terminal, log lines elsewhere, and curves for TensorBoard."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from training.configuration.recipe import Recipe

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


class Curves:
    """TensorBoard's event file of a run."""

    def __init__(self, out: Path) -> None:
        """Creates the file in the folder `out`.

        Raises:
            ModuleNotFoundError: TensorBoard is not installed.
        """
        from tensorboard.plugins.scalar.summary_v2 import (  # type: ignore[import-untyped]
            scalar_pb,
        )
        from torch.utils.tensorboard import FileWriter

        self._scalar, self._file = scalar_pb, FileWriter(str(out))

    def add(self, name: str, value: float, epoch: int) -> None:
        """Adds a point to a curve, with the curve's description."""
        self._file.add_summary(self._scalar(name, value, CURVES.get(name, "")), epoch)

    def close(self) -> None:
        """Writes the file to its end."""
        self._file.close()


class Progress:
    """Shows the steps and epochs of a run."""

    def __init__(
        self, bar: Bar, curves: Curves | None, recipe: Recipe, epoch: int, *, is_main: bool
    ) -> None:
        """Starts the clock.

        Args:
            bar: Bar that counts steps; a disabled one is replaced by log lines.
            curves: TensorBoard's event file, if there is one.
            recipe: Recipe of the run.
            epoch: Epochs done before.
            is_main: Whether this process is rank 0; the others show nothing.
        """
        self._bar, self._curves, self._recipe = bar, curves, recipe
        self._first, self._is_main = epoch, is_main
        self._started_s = time.monotonic()

    def step(self) -> None:
        """Counts one step."""
        self._bar.update()

    def epoch(
        self, epoch: int, losses: Mapping[str, float], score: float | None, learning_rate: float
    ) -> None:
        """Shows an epoch, counted from 1: its losses, validation score and learning rate."""
        if not self._is_main:
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
        if self._curves:
            for name, value in {**figures, "learning_rate": learning_rate}.items():
                self._curves.add(name, value, epoch)

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
            yield Progress(bar, None, recipe, epoch, is_main=False)
            return
        out.mkdir(parents=True, exist_ok=True)
        curves = _open_curves(out)
        with closing(curves) if curves else nullcontext():
            yield Progress(bar, curves, recipe, epoch, is_main=True)


@contextmanager
def step_bar(recipe: Recipe, *, name: str, steps: int | None) -> Iterator[Progress]:
    """Opens a bar over the steps of networks that are not stored.

    Args:
        recipe: Recipe of the networks.
        name: Purpose of the networks.
        steps: Steps of all of them, at most; None if unknown.
    """
    with tqdm(total=steps, desc=name, unit="step", disable=None) as bar:
        yield Progress(bar, None, recipe, 0, is_main=False)


def _open_curves(out: Path) -> Curves | None:
    try:
        return Curves(out)
    except ModuleNotFoundError as error:
        _log.warning("the run writes no curves for TensorBoard: %s", error)
        return None

"""The network and the spec of a trained run, and the display of figures and progress."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from tqdm import tqdm

from model.spec import ModelSpec
from training.checkpoint import Checkpoint
from training.configuration.execution import torch_device
from training.datasets.video_record import VideoRecord
from training.measurement.evaluation import Evaluation, Progress, Results, TorchEngine


def torch_engine(checkpoint: Checkpoint, device: str) -> TorchEngine:
    """Returns the checkpoint's network, ready to run."""
    name = torch_device(device)
    return TorchEngine(checkpoint.network().to(name), name)


def changed_spec(checkpoint: Checkpoint, changes: Mapping[str, Any]) -> ModelSpec:
    """Returns the checkpoint's spec with another sampling or localization.

    Raises:
        OptionError: a value is out of its range.
    """
    spec = checkpoint.spec
    unchanged = replace(checkpoint.recipe, localization=spec.localization, sampling=spec.sampling)
    recipe = unchanged.override(changes)
    return replace(spec, localization=recipe.localization, sampling=recipe.sampling)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Makes torch take numbers near 0 for 0, because the CPU is several times slower with them.

    Late in training, gradients get that small. Enter this before torch starts its threads.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def figure_table(figures: Mapping[str, float]) -> str:
    """Returns figures in percent, one a line."""
    return "\n".join(f"{name:16} {100 * value:6.2f} %" for name, value in figures.items())


def evaluation_text(result: Evaluation, spec: ModelSpec) -> str:
    """Returns the figures of an evaluation, and the reason if no segment was found."""
    reason = result.why_nothing_found(spec.localization)
    return figure_table(result.figures()) + (f"\nno segment was found: {reason}" if reason else "")


def progress_bar(videos: int) -> Progress:
    """Returns a function that shows a progress bar over the results of `videos` videos."""

    def wrap(results: Results) -> Results:
        return iter(tqdm(results, total=videos, unit="video", disable=None))

    return wrap


def video_bar(videos: Sequence[VideoRecord], *, name: str | None = None) -> Iterator[VideoRecord]:
    """Yields videos under a progress bar with the name of the work."""
    return iter(tqdm(videos, desc=name, unit="video", disable=None))


def software() -> str:
    """Returns the name and version of this software."""
    try:
        return f"ecm-localizer {version('ecm-localizer')}"
    except PackageNotFoundError:
        return "ecm-localizer, not installed"

"""Arguments that several commands take."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tqdm import tqdm

from model.errors import DataError
from model.localization import LocalizationConfig
from model.spec import ModelSpec
from training.checkpoint import Checkpoint
from training.datasets.native import read_native
from training.datasets.opening import open_data
from training.datasets.video_record import VideoRecord, VideoSet
from training.evaluation import Progress, Results, TorchEngine
from training.execution import torch_device
from training.options import add_options, given_options
from training.recipe import Recipe


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds where the data lie: one folder of any layout, or the two paths of the native one."""
    parser.add_argument("--data", type=Path, help="folder of a data set; docs/data.md has layouts")
    parser.add_argument("--annotations", type=Path, help="labels, in ActivityNet's JSON format")
    parser.add_argument(
        "--features", type=Path, help="folder of ID.npy files, (snippets, channels)"
    )


def read_data(arguments: argparse.Namespace) -> VideoSet:
    """Returns the data set that the arguments name.

    Raises:
        DataError: they name none or two, or it cannot be read.
    """
    data, annotations, features = arguments.data, arguments.annotations, arguments.features
    if data and not (annotations or features):
        return open_data(data)
    if annotations and features and not data:
        return read_native(annotations, features)
    raise DataError("expected either --data DIR, or --annotations FILE and --features DIR")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Adds the run to use."""
    parser.add_argument("checkpoint", type=Path, help="a run's folder (its last.pt) or a .pt file")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Adds where torch computes."""
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))


def add_tiou(parser: argparse.ArgumentParser) -> None:
    """Adds the thresholds of the detection metric."""
    parser.add_argument(
        "--tiou", default="0.1:0.7:0.1", help="thresholds: 0.5, or 0.3,0.5,0.7, or first:last:step"
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Adds how segments are read off, where that shall differ from how the run has it."""
    add_options(parser, Recipe, only=["sampling"])
    add_options(parser, LocalizationConfig)


def torch_engine(checkpoint: Checkpoint, device: str) -> TorchEngine:
    """Returns the checkpoint's network, ready to run."""
    name = torch_device(device)
    return TorchEngine(checkpoint.network().to(name), name)


def chosen_spec(checkpoint: Checkpoint, arguments: argparse.Namespace) -> ModelSpec:
    """Returns the checkpoint's spec with sampling and localization as the options say."""
    spec = checkpoint.spec
    as_it_is = replace(checkpoint.recipe, localization=spec.localization, sampling=spec.sampling)
    recipe = as_it_is.override(given_options(arguments))
    return replace(spec, localization=recipe.localization, sampling=recipe.sampling)


def progress_bar(videos: int) -> Progress:
    """Returns what shows a bar over so many videos."""

    def wrap(results: Results) -> Results:
        return iter(tqdm(results, total=videos, unit="video", disable=None))

    return wrap


def video_bar(videos: Sequence[VideoRecord]) -> Iterator[VideoRecord]:
    """Yields videos under a progress bar."""
    return iter(tqdm(videos, unit="video", disable=None))


def software() -> str:
    """Returns name and version of this software."""
    try:
        return f"ecm-localizer {version('ecm-localizer')}"
    except PackageNotFoundError:
        return "ecm-localizer, not installed"

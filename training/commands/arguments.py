"""Arguments that several commands take."""

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tqdm import tqdm

from features.extraction import FlowDevice, find_videos
from features.extractors import MOTION
from model.errors import DataError
from model.localize import LocalizationConfig
from model.spec import ModelSpec
from training.checkpoint import Checkpoint
from training.commands.extract import add_flow_device, extract_under_bar, reasons
from training.datasets.annotations import read_annotations
from training.datasets.native import read_native, with_features
from training.datasets.opening import open_data
from training.datasets.tags import read_tags
from training.datasets.video_record import VideoRecord, VideoSet
from training.evaluation import Progress, Results, TorchEngine
from training.execution import torch_device
from training.options import add_options, given_options
from training.recipe import Recipe

_log = logging.getLogger(__name__)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds where the data lie: a folder of any layout, labels with features, or with videos."""
    parser.add_argument("--data", type=Path, help="folder of a data set; docs/data.md has layouts")
    parser.add_argument("--annotations", type=Path, help="labels, in ActivityNet's JSON format")
    parser.add_argument("--tags", type=Path, help="labels, as a CSV file of video,label rows")
    parser.add_argument(
        "--features", type=Path,
        help="folder of ID.npy files, (snippets, channels); with --videos those that are made of "
        "them, VIDEOS.EXTRACTOR if not given",
    )  # fmt: skip
    parser.add_argument("--videos", type=Path, help="folder of video files, in place of features")
    parser.add_argument(
        "--extractor", default=MOTION, help="what makes features of --videos: motion, or NAME.onnx"
    )
    add_flow_device(parser)


def read_data(arguments: argparse.Namespace) -> VideoSet:
    """Returns the data set that the arguments name; features of videos are made if need be.

    Raises:
        DataError: they name none or two, or it cannot be read.
    """
    data, annotations, tags = arguments.data, arguments.annotations, arguments.tags
    features, videos = arguments.features, arguments.videos
    if data and not (annotations or tags or features or videos):
        return open_data(data)
    if not data and bool(annotations) != bool(tags) and (features or videos):
        if videos:
            return read_videos(
                annotations or tags,
                videos,
                features,
                arguments.extractor,
                flow_device=arguments.flow_device,
            )
        if annotations:
            return read_native(annotations, features)
    raise DataError(
        "expected --data DIR, or --annotations FILE with --features DIR, or --videos DIR with "
        "--tags FILE or --annotations FILE"
    )


def read_videos(
    labels: Path,
    videos: Path,
    features: Path | None,
    extractor: str,
    *,
    flow_device: FlowDevice,
) -> VideoSet:
    """Returns the labelled videos of a folder, with features, made now where they are missing.

    Videos that cannot be read are left out with a warning.

    Raises:
        DataError: the labels cannot be read, or no video has features.
        OptionError, DeviceError: as `features.extraction.extract` does.
    """
    named = read_tags(labels) if labels.suffix == ".csv" else read_annotations(labels)
    features = features or videos.with_name(f"{videos.name}.{Path(extractor).stem}")
    there = find_videos(videos)
    wanted = {video.id: there[video.id] for video in named if video.id in there}
    if not wanted:
        raise DataError(
            f"{labels} names none of the {len(there)} videos below {videos}, for instance "
            f"{next(iter(there))!r}"
        )
    outcomes = extract_under_bar(wanted, features, extractor, flow_device=flow_device)
    if failed := reasons(wanted, outcomes):
        _log.warning("videos that cannot be read:\n%s", failed)
    return with_features(named, features, source=labels)


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


def figure_table(figures: Mapping[str, float]) -> str:
    """Returns figures for people, one a line."""
    return "\n".join(f"{name:16} {100 * value:6.2f} %" for name, value in figures.items())


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

"""measure mAP, frame accuracy and tagging on videos with known instances"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from model.spec import ModelSpec
from training.checkpoint import Checkpoint, find_checkpoint, load_checkpoint, save_checkpoint
from training.commands.arguments import (
    add_checkpoint,
    add_data,
    add_device,
    add_reading,
    add_tiou,
    chosen_spec,
    figure_table,
    progress_bar,
    read_data,
    software,
    torch_engine,
)
from training.datasets.result_file import write_detections, write_json
from training.datasets.video_record import VideoSet
from training.evaluation import Evaluation, TorchEngine, evaluate
from training.metrics import tiou_range
from training.options import given_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_checkpoint(parser)
    add_data(parser)
    parser.add_argument("--subset", default="validation", help="subset to measure on")
    add_tiou(parser)
    parser.add_argument("--out", type=Path, help="folder for figures.json and predictions.json")
    parser.add_argument(
        "--report", type=Path, help="page with figures, errors and pictures (.html)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_device(parser)
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    path = find_checkpoint(arguments.checkpoint)
    checkpoint = load_checkpoint(path)
    videos = read_data(arguments).subset(arguments.subset)
    engine = torch_engine(checkpoint, arguments.device)
    spec = chosen_spec(checkpoint, arguments)
    result = evaluate(
        engine,
        spec,
        videos,
        tiou_range(arguments.tiou),
        progress=progress_bar(len(videos.videos)),
    )
    figures = result.figures()
    print(json.dumps(figures) if arguments.json else figure_table(figures))
    if not given_options(arguments):  # as the model will be served, so an export carries them
        save_checkpoint(_with_figures(checkpoint, arguments.subset, figures), path)
    if arguments.out:
        write_json(arguments.out / "figures.json", figures)
        write_detections(arguments.out / "predictions.json", result.segments, version=software())
    if arguments.report:
        _report(arguments, path, spec, videos, result, engine)


def _with_figures(checkpoint: Checkpoint, subset: str, figures: Mapping[str, float]) -> Checkpoint:
    kept = {f"{subset}.{name}": value for name, value in figures.items()}
    spec = checkpoint.spec
    return replace(checkpoint, spec=replace(spec, evaluation=spec.evaluation | kept))


def _report(
    arguments: argparse.Namespace,
    model: Path,
    spec: ModelSpec,
    videos: VideoSet,
    result: Evaluation,
    engine: TorchEngine,
) -> None:
    # matplotlib takes a second to import
    from training.report.page import Subject, write_report

    written = datetime.now(UTC)
    subject = Subject(str(model), spec, videos, arguments.subset, software(), written)
    write_report(arguments.report, subject, result, engine)

"""measure mAP, frame accuracy and tagging on videos with known instances"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from training.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint
from training.commands.arguments import (
    add_checkpoint,
    add_data,
    add_device,
    add_reading,
    add_tiou,
    chosen_spec,
    progress_bar,
    read_data,
    software,
    torch_engine,
)
from training.detections import write_detections, write_json
from training.evaluation import evaluate
from training.metrics import tiou_range
from training.options import given_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_checkpoint(parser)
    add_data(parser)
    parser.add_argument("--subset", default="validation", help="subset to measure on")
    add_tiou(parser)
    parser.add_argument("--out", type=Path, help="folder for figures.json and predictions.json")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_device(parser)
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    path = find_checkpoint(arguments.checkpoint)
    checkpoint = load_checkpoint(path)
    videos = read_data(arguments).subset(arguments.subset)
    result = evaluate(
        torch_engine(checkpoint, arguments.device),
        chosen_spec(checkpoint, arguments),
        videos,
        tiou_range(arguments.tiou),
        progress=progress_bar(len(videos.videos)),
    )
    figures = result.figures()
    if arguments.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:16} {100 * value:6.2f} %" for name, value in figures.items()))
    if not given_options(arguments):  # as the model will be served, so an export carries them
        kept = {f"{arguments.subset}.{name}": value for name, value in figures.items()}
        spec = replace(checkpoint.spec, evaluation=checkpoint.spec.evaluation | kept)
        save_checkpoint(replace(checkpoint, spec=spec), path)
    if arguments.out:
        write_json(arguments.out / "figures.json", figures)
        write_detections(arguments.out / "predictions.json", result.segments, version=software())

"""draw one video's class activation sequence over its segments"""

import argparse
from pathlib import Path

from model.errors import DataError
from training.checkpoint import load_checkpoint
from training.commands.arguments import (
    add_checkpoint,
    add_data,
    add_reading,
    chosen_spec,
    read_data,
    torch_engine,
)
from training.evaluation import predict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_checkpoint(parser)
    add_data(parser)
    parser.add_argument("--video", required=True, help="its id")
    parser.add_argument("--out", type=Path, required=True, help="picture: .png, .svg or .pdf")
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    from training.report.plot import plot_video

    checkpoint = load_checkpoint(arguments.checkpoint)
    videos = read_data(arguments).videos
    chosen = [video for video in videos if video.id == arguments.video]
    if not chosen:
        raise DataError(f"no video {arguments.video!r} with features in {arguments.annotations}")
    spec = chosen_spec(checkpoint, arguments)
    ((video, result),) = predict(torch_engine(checkpoint, "cpu"), spec, chosen)
    plot_video(video.id, result, spec.labels, arguments.out, truth=video.instances)
    print(arguments.out)

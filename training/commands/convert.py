"""write a data set of any layout in the native one; goes on where an earlier run stopped"""

import argparse
from pathlib import Path

from training.commands.arguments import add_data, read_data, video_bar
from training.datasets.conversion import write_native


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the new data set")


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    videos = read_data(arguments)
    write_native(videos, arguments.out, progress=video_bar)
    print(f"{arguments.out}: {len(videos.videos)} videos, {len(videos.classes)} classes")

"""read a checkpoint of the released ECM code"""

import argparse
from pathlib import Path

from model.errors import DataError
from training.checkpoint import LAST, save_checkpoint
from training.commands.arguments import software
from training.presets import PRESETS, preset
from training.released_checkpoint import import_released


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument("released", type=Path, help="the .pth file")
    parser.add_argument(
        "--preset", required=True, choices=PRESETS, help="recipe it was trained with"
    )
    parser.add_argument(
        "--labels", type=Path, required=True, help="text file, a class a line, in output order"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    if (arguments.out / LAST).exists():
        raise DataError(f"{arguments.out / LAST} is there already; choose another --out")
    labels = [line.strip() for line in arguments.labels.read_text().splitlines() if line.strip()]
    checkpoint = import_released(arguments.released, labels, preset(arguments.preset), software())
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(checkpoint, arguments.out / LAST)
    print(arguments.out / LAST)

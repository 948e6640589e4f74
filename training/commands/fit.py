"""train a network from video-level labels; goes on where an earlier run stopped"""

import argparse
from pathlib import Path

from model.localization import LocalizationConfig
from training.commands.arguments import add_data, add_device, read_data, software, torch_device
from training.losses import Objective
from training.options import add_options, given_options
from training.presets import PRESETS, preset
from training.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--preset", default="own-data", choices=PRESETS, help="recipe to start from"
    )
    parser.add_argument("--train-subset", default="training", help="subset to learn from")
    parser.add_argument(
        "--validation-subset",
        default="validation",
        help="subset whose tags choose best.pt, where there is one; may be absent",
    )
    add_device(parser)
    add_options(parser, Recipe, Objective, LocalizationConfig)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    from training.loop import fit  # TensorBoard takes seconds to import; only this needs it

    recipe = preset(arguments.preset).override(given_options(arguments))
    videos = read_data(arguments)
    has_validation = any(v.subset == arguments.validation_subset for v in videos.videos)
    last = fit(
        videos.subset(arguments.train_subset),
        videos.subset(arguments.validation_subset) if has_validation else None,
        recipe,
        arguments.out,
        device=torch_device(arguments.device),
        software=software(),
    )
    print(f"{arguments.out}: {last.epoch} epochs, {len(last.spec.labels)} classes")

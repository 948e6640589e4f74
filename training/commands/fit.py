"""train a network from video-level labels; goes on where an earlier run stopped"""

import argparse
from dataclasses import fields
from pathlib import Path

from model.localization import LocalizationConfig
from training.commands.arguments import add_data, read_data, software
from training.execution import Execution
from training.losses import Objective
from training.options import add_options, given_options, parse_options
from training.presets import PRESETS, preset
from training.recipe import Recipe
from training.world import join_world


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
    add_options(parser, Execution, Recipe, Objective, LocalizationConfig)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    from training.loop import fit  # TensorBoard takes seconds to import; only this needs it

    given = given_options(arguments)
    named = {field.name for field in fields(Execution)}
    execution = parse_options(Execution(), {n: v for n, v in given.items() if n in named})
    recipe = preset(arguments.preset).override({n: v for n, v in given.items() if n not in named})
    videos = read_data(arguments)
    has_validation = any(v.subset == arguments.validation_subset for v in videos.videos)
    with join_world(execution.torch_device()) as world:
        last = fit(
            videos.subset(arguments.train_subset),
            videos.subset(arguments.validation_subset) if has_validation else None,
            recipe,
            arguments.out,
            execution=execution,
            world=world,
            software=software(),
        )
        if world.leads:
            print(f"{arguments.out}: {last.epoch} epochs, {len(last.spec.labels)} classes")

"""train a network from video-level labels; goes on where an earlier run stopped"""

import argparse
from dataclasses import fields
from pathlib import Path

from model.localize import LocalizationConfig
from training.commands.arguments import add_data, figure_table, read_data, software, torch_engine
from training.evaluation import evaluate
from training.execution import Execution
from training.losses import Objective
from training.metrics import tiou_range
from training.options import add_options, given_options, parse_options
from training.parallel import join_process_group
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
    add_options(parser, Execution, Recipe, Objective, LocalizationConfig)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    from training.loop import fit

    given = given_options(arguments)
    named = {field.name for field in fields(Execution)}
    execution = parse_options(Execution(), {n: v for n, v in given.items() if n in named})
    recipe = preset(arguments.preset).override({n: v for n, v in given.items() if n not in named})
    videos = read_data(arguments)
    has_validation = any(v.subset == arguments.validation_subset for v in videos.videos)
    validation = videos.subset(arguments.validation_subset) if has_validation else None
    with join_process_group(execution.torch_device()) as group:
        last = fit(
            videos.subset(arguments.train_subset),
            validation,
            recipe,
            arguments.out,
            execution=execution,
            group=group,
            software=software(),
        )
        if group.is_main:
            print(f"{arguments.out}: {last.epoch} epochs, {len(last.spec.labels)} classes")
        if group.is_main and validation and any(video.instances for video in validation.videos):
            engine = torch_engine(last, execution.device)
            result = evaluate(engine, last.spec, validation, tiou_range("0.1:0.7:0.1"))
            print(f"last epoch on {arguments.validation_subset}:\n{figure_table(result.figures())}")

"""reproduce a table or figure of the paper: trains what is missing, measures, writes it down"""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from model.errors import OptionError
from model.localize import LocalizationConfig
from training.commands.arguments import add_data, read_data, software
from training.datasets.video_record import VideoSet
from training.execution import Execution
from training.losses import Objective
from training.options import add_options, given_options, parse_options
from training.presets import PRESETS, preset
from training.recipe import Recipe

EXPERIMENTS = (
    "table1", "table2", "table3", "table4", "table5", "table6", "figure5", "figure6",
)  # fmt: skip

_FROM_EXPERIMENT = ("seed", "protocol", "judge")
"""Fields that this command sets itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument("experiment", choices=EXPERIMENTS, help="which; docs/reproduce.md has them")
    add_data(parser)
    parser.add_argument("--seeds", type=int, default=5, help="networks of each kind to train")
    parser.add_argument(
        "--out", type=Path, default=Path("reproduction"),
        help="folder for the runs, which experiments share, and for the findings",
    )  # fmt: skip
    parser.add_argument("--preset", choices=PRESETS, help="recipe; the experiment's own if absent")
    parser.add_argument(
        "--protocol", choices=("honest", "released"), default="honest",
        help="released: the released code's settings, and the best epoch chosen on the test videos",
    )  # fmt: skip
    parser.add_argument(
        "--hold-out", type=float, default=0.1, metavar="SHARE",
        help="of the training videos, to choose the best epoch on where the data have no third "
        "subset; 0 trains on all and reports the last epoch alone",
    )  # fmt: skip
    parser.add_argument("--train-subset", default="training", help="subset to learn from")
    parser.add_argument(
        "--test-subset", help="subset to measure on; `test` if there is one, else `validation`"
    )
    parser.add_argument("--video", nargs="+", default=[], help="test videos that figure 5 draws")
    add_options(parser, Execution)
    for part in (Recipe, Objective, LocalizationConfig):
        names = [field.name for field in fields(part) if field.name not in _FROM_EXPERIMENT]
        add_options(parser, part, only=names)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    from training.experiments.study import Study

    if arguments.seeds < 1:
        raise OptionError(f"--seeds must be at least 1, not {arguments.seeds}")
    experiment = import_module(f"training.experiments.{arguments.experiment}")
    given = given_options(arguments)
    named = {field.name for field in fields(Execution)}
    execution = parse_options(Execution(), {n: v for n, v in given.items() if n in named})
    changes = {n: v for n, v in given.items() if n not in named}
    training, judging, test = splits(read_data(arguments), arguments)
    study = Study(
        training,
        judging,
        test,
        chosen_recipe(experiment.PRESET, arguments, changes),
        tuple(range(arguments.seeds)),
        arguments.out,
        arguments.protocol,
        execution,
        tuple(arguments.video),
        software(),
    )
    for path in experiment.run(study).write(arguments.out, arguments.experiment):
        print(path)


def chosen_recipe(own: str, arguments: argparse.Namespace, changes: dict[str, Any]) -> Recipe:
    """Returns the recipe of full ECM; `own` is the experiment's preset."""
    released = arguments.protocol == "released"
    name = arguments.preset or (f"{own}-released" if released else own)
    if released:
        thumos14 = name.startswith("thumos14")
        changes = {**changes, "judge": "mAP@0.5" if thumos14 else "mAP"}
    return preset(name).override(changes)


def splits(
    videos: VideoSet, arguments: argparse.Namespace
) -> tuple[VideoSet, VideoSet | None, VideoSet]:
    """Returns the videos to learn from, to choose an epoch on, and to measure on."""
    there = {video.subset for video in videos.videos}
    test_name = arguments.test_subset or ("test" if "test" in there else "validation")
    training, test = videos.subset(arguments.train_subset), videos.subset(test_name)
    if arguments.protocol == "released":
        return training, test, test
    third = sorted(there - {arguments.train_subset, test_name})
    if third:
        return training, videos.subset(_only(third)), test
    if not arguments.hold_out:
        return training, None, test
    kept, held = training.hold_out(arguments.hold_out)
    return kept, held, test


def _only(names: Sequence[str]) -> str:
    return "validation" if "validation" in names else names[0]

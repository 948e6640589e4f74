"""write a simulated data set in the native layout"""

import argparse
from pathlib import Path

from training.datasets.simulated import SimulationConfig, write_simulated
from training.options import add_options, given_options, parse_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set")
    add_options(parser, SimulationConfig)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    config = parse_options(SimulationConfig(), given_options(arguments))
    annotations, features = write_simulated(arguments.out, config)
    print(annotations, features, sep="\n")

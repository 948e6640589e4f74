"""print what a data set holds and what is wrong with it"""

import argparse

from model.errors import DataError
from training.commands.arguments import add_data, read_data, video_bar
from training.datasets.inspection import DataReport, inspect_data

SHOWN_PROBLEMS = 20
"""Only so many are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    add_data(parser)


def run(arguments: argparse.Namespace) -> None:
    """Runs this command; problems end with an error after all are listed."""
    report = inspect_data(read_data(arguments), progress=video_bar)
    _print(report)
    for problem in report.problems[:SHOWN_PROBLEMS]:
        print(f"- {problem}")
    if report.problems:
        raise DataError(f"{len(report.problems)} problems; training may fail or mislead")


def _print(report: DataReport) -> None:
    print(f"{'subset':12} {'videos':>7} {'unlabelled':>10} {'classes':>8} {'hours':>7} "
          f"{'instances':>9} {'snippets':>9}")  # fmt: skip
    for name, subset in report.subsets.items():
        print(f"{name:12} {subset.videos:7} {subset.unlabelled:10} "
              f"{len(subset.videos_by_class):8} {subset.seconds / 3600:7.2f} "
              f"{subset.instances:9} {subset.snippets:9}")  # fmt: skip
    print("channels:", ", ".join(map(str, sorted(report.videos_by_channels))) or "none")

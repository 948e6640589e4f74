"""`ecm check`, `ecm convert` and `ecm simulate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from model.errors import DataError
from training.commands.data import NO_DATA, Data
from training.commands.options import DATA, field_values, with_fields
from training.commands.run import video_bar
from training.datasets.conversion import write_native
from training.datasets.inspection import DataReport, inspect_data
from training.datasets.simulated import SimulationConfig, write_simulated

SHOWN_PROBLEMS = 20
"""Number of problems that `check` prints."""


def check(*, data: Data = NO_DATA) -> None:
    """Prints the contents of a data set and its problems.

    Args:
        data: the data set.

    Raises:
        DataError: there are problems, or the data set cannot be read.
    """
    report = inspect_data(data.read(), progress=video_bar)
    _print(report)
    for problem in report.problems[:SHOWN_PROBLEMS]:
        print(f"- {problem}")
    if report.problems:
        raise DataError(f"{len(report.problems)} problems; training may fail or mislead")
    print("no problems; next: ecm fit with the same options and --out runs/mine")


def _print(report: DataReport) -> None:
    print(f"{'subset':12} {'videos':>7} {'unlabelled':>10} {'classes':>8} {'hours':>7} "
          f"{'instances':>9} {'snippets':>9}")  # fmt: skip
    for name, subset in report.subsets.items():
        print(f"{name:12} {subset.videos:7} {subset.unlabelled:10} "
              f"{len(subset.videos_by_class):8} {subset.seconds / 3600:7.2f} "
              f"{subset.instances:9} {subset.snippets:9}")  # fmt: skip
    print("channels:", ", ".join(map(str, sorted(report.videos_by_channels))) or "none")


def convert(*, data: Data = NO_DATA, out: Annotated[Path, Parameter(group=DATA)]) -> None:
    """Writes a data set in the native layout.

    Args:
        data: the data set.
        out: Folder of the new data set.
    """
    videos = data.read()
    write_native(videos, out, progress=video_bar)
    print(f"{out}: {len(videos.videos)} videos, {len(videos.classes)} classes")
    print(f"next: ecm check --data {out}")


@with_fields(SimulationConfig)
def simulate(*, out: Annotated[Path, Parameter(group=DATA)], **options: Any) -> None:
    """Writes a simulated data set.

    Args:
        out: Folder of the data set.
        **options: fields of `SimulationConfig`.
    """
    annotations, features = write_simulated(out, SimulationConfig(**options))
    print(f"{annotations} and {features}")
    print(f"next: ecm fit --data {out} --preset demo --out runs/demo")


def shown_defaults(_: Sequence[str]) -> dict[str, Any]:
    """Returns the defaults of `simulate`."""
    return field_values(SimulationConfig())

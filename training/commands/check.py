"""`ecm check`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from model.errors import DataError
from model.localization.localize import LocalizationConfig
from training.commands.data import NO_DATA, Data
from training.commands.fit import DEFAULT_PRESET
from training.commands.options import RARE_DATA, RUN, split, with_fields
from training.commands.presets import PresetName
from training.commands.run import video_bar
from training.configuration.execution import Execution
from training.configuration.objective import Objective
from training.configuration.presets import preset as named_recipe
from training.configuration.recipe import Recipe
from training.datasets.inspection import DataReport, Use, inspect_data
from training.datasets.video_record import VideoSet
from training.snippet_targets import require_segments

SHOWN = 20
"""Problems, remarks or names that `check` prints; more are only counted."""


@with_fields(Execution, Recipe, Objective, LocalizationConfig)
def check(
    *,
    data: Data = NO_DATA,
    out: Annotated[Path | None, Parameter(group=RUN)] = None,
    preset: Annotated[PresetName, Parameter(group=RUN)] = DEFAULT_PRESET,
    train_subset: Annotated[str, Parameter(group=RARE_DATA)] = "training",
    validation_subset: Annotated[str, Parameter(group=RARE_DATA)] = "validation",
    **options: Any,
) -> None:
    """Prints the contents of a data set, what would stop `fit`, and what is worth a remark.

    It takes the options of `fit`, so that a command line needs only another name.

    Args:
        data: the data set.
        out: Folder of the run that is planned. Nothing is written to it.
        preset: Recipe of the training that is planned.
        train_subset: Subset to learn from.
        validation_subset: Subset whose tags choose best.pt. It may be absent.
        **options: what differs from the preset.

    Raises:
        DataError: training would fail, or the data set cannot be read.
    """
    _, changes = split(options, Execution)
    recipe = named_recipe(preset).override(changes)
    videos = data.read()
    use = Use(train_subset, validation_subset, recipe.objective.activation == "sigmoid")
    report = inspect_data(videos, use, progress=video_bar)
    if recipe.segments == "use":
        report.problems += _segment_problems(videos, train_subset)
    _print_contents(report)
    _print_list("without features: ", videos.missing)
    _print_list("without annotation: ", videos.unnamed)
    _print_list("- remark: ", report.remarks)
    _print_list("- problem: ", report.problems)
    if report.problems:
        raise DataError(f"{len(report.problems)} problems; training would fail")
    print(f"no problems, {len(report.remarks)} remarks; next: ecm fit with the same options"
          + ("" if out else " and --out runs/mine"))  # fmt: skip


def _segment_problems(videos: VideoSet, subset: str) -> list[str]:
    """Returns the reason why segments cannot be learned from, if there is one."""
    try:
        require_segments(videos.subset(subset))
    except DataError as error:
        return [str(error)]
    return []


def _print_contents(report: DataReport) -> None:
    print(f"{'subset':12} {'videos':>7} {'unlabelled':>10} {'classes':>8} {'hours':>7} "
          f"{'instances':>9} {'snippets':>9}")  # fmt: skip
    for name, subset in report.subsets.items():
        print(f"{name:12} {subset.videos:7} {subset.unlabelled:10} "
              f"{len(subset.videos_by_class):8} {subset.seconds / 3600:7.2f} "
              f"{subset.instances:9} {subset.snippets:9}")  # fmt: skip
    print("channels:", ", ".join(map(str, sorted(report.videos_by_channels))) or "none")
    print("videos by class:", ", ".join(report.subsets))
    for label in sorted({c for one in report.subsets.values() for c in one.videos_by_class}):
        counts = (str(subset.videos_by_class[label]) for subset in report.subsets.values())
        print(f"  {label}: {', '.join(counts)}")


def _print_list(head: str, lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        print(f"{head}{line}")
    if len(lines) > SHOWN:
        print(f"{head}{len(lines) - SHOWN} more")

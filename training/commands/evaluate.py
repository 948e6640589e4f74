"""`ecm evaluate`."""

import json
import shlex
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from model.localization.localize import LocalizationConfig
from training.checkpoint import find_checkpoint, load_checkpoint
from training.commands.data import NO_DATA, Data
from training.commands.options import DATA, RARE_DATA, RUN, Device, Flag, with_fields
from training.commands.run import (
    changed_spec,
    evaluation_text,
    progress_bar,
    software,
    torch_engine,
)
from training.configuration.recipe import Recipe
from training.datasets.result_file import write_detections, write_json
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import evaluate as measure
from training.measurement.evaluation import require_labels
from training.measurement.figures import add_figures
from training.measurement.metrics import tiou_range

TRAINING_ONLY = {field.name for field in fields(Recipe)} - {"sampling"}
"""Fields of a recipe that only training uses."""


@with_fields(Recipe, LocalizationConfig, leave_out=TRAINING_ONLY)
def evaluate(
    run: Path,
    /,
    *,
    data: Data = NO_DATA,
    subset: Annotated[str | None, Parameter(group=DATA)] = None,
    tiou: Annotated[str, Parameter(group=RUN)] = "0.1:0.7:0.1",
    ambiguous: Annotated[Path | None, Parameter(group=RARE_DATA)] = None,
    out: Annotated[Path | None, Parameter(group=RUN)] = None,
    report: Annotated[Path | None, Parameter(group=RUN)] = None,
    as_json: Annotated[Flag, Parameter(name="--json", group=RUN)] = False,
    device: Device = "auto",
    **options: Any,
) -> None:
    """Measures a run on videos with known segments.

    The figures are stored beside the checkpoint, so that an export carries them, unless an option
    changes the localization or what counts.

    Args:
        run: Folder of a run, which stands for its last.pt, or a .pt file.
        data: the data set.
        subset: Subset to measure on; validation if there is one, else test.
        tiou: tIoU thresholds of mAP: 0.5, or 0.3,0.5,0.7, or first:last:step.
        ambiguous: Ambiguous_test.txt of THUMOS14. As in W-TALC's protocol, segments that overlap
            one of its intervals do not count.
        out: Folder for figures.json and predictions.json.
        report: HTML page to write, with figures, errors and plots.
        as_json: Print JSON instead of a table.
        device: Device that runs the network; auto is a GPU if there is one.
        **options: sampling and localization, where they differ from those of the run.
    """
    path = find_checkpoint(run)
    checkpoint = load_checkpoint(path)
    spec = changed_spec(checkpoint, options)
    every = data.read(ambiguous)
    subset = subset or measured_subset(every)
    videos = every.subset(subset)
    require_labels(spec, videos)
    engine = torch_engine(checkpoint, device)
    bar = progress_bar(len(videos.videos))
    result = measure(engine, spec, videos, tiou_range(tiou), progress=bar)
    figures = result.figures()
    print(json.dumps(figures) if as_json else evaluation_text(result, spec))
    if not (options or ambiguous):
        named = {f"{subset}.{name}": value for name, value in figures.items()}
        add_figures(path, checkpoint.network_state, named)
    if out:
        write_json(out / "figures.json", figures)
        write_detections(out / "predictions.json", result.segments, version=software())
    if report:
        from training.report.page import Subject, write_report

        subject = Subject(str(path), spec, videos, subset, software(), datetime.now(UTC))
        write_report(report, subject, result, engine)
    if not as_json:
        _print_ending(path, out, report)


def _print_ending(checkpoint: Path, out: Path | None, report: Path | None) -> None:
    for path in (out, report):
        if path:
            print(f"written: {path}")
    run = checkpoint.parent
    print(f"next: ecm export {shlex.quote(str(run))} --name {shlex.quote(run.resolve().name)}")


def measured_subset(videos: VideoSet) -> str:
    """Returns the subset that is measured on by default: validation if there is one, else test."""
    return "validation" if any(v.subset == "validation" for v in videos.videos) else "test"

"""`ecm cross-validate`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter, validators

from model.errors import DataError
from model.localization.localize import LocalizationConfig
from training.batches import steps_per_epoch
from training.checkpoint import Checkpoint
from training.commands.data import NO_DATA, Data
from training.commands.fit import DEFAULT_PRESET, chosen_recipe, shown_defaults
from training.commands.options import DATA, RARE_DATA, RUN, Flag, split, with_fields
from training.commands.presets import PresetName
from training.commands.run import flushed_denormals, video_bar
from training.configuration.execution import Execution
from training.configuration.objective import Objective
from training.configuration.presets import preset as named_recipe
from training.configuration.recipe import Recipe
from training.cross_validation.calibrate import scored_by
from training.cross_validation.curves import brier_score, log_loss
from training.cross_validation.division import (
    scenes_of,
    splits_by_group,
    splits_by_scene,
    splits_by_tag,
)
from training.cross_validation.folds import Split
from training.cross_validation.intervals import (
    Interval,
    detection_intervals,
    resampled_counts,
    tag_intervals,
)
from training.cross_validation.out_of_fold import HeldOut, out_of_fold
from training.datasets.tags import read_groups
from training.datasets.video_record import VideoSet
from training.initialization import learnable_videos
from training.loop import finishing, trained
from training.measurement.metrics import tiou_range
from training.progress import step_bar

__all__ = ["cross_validate", "shown_defaults"]


@with_fields(Execution, Recipe, Objective, LocalizationConfig)
@flushed_denormals()
def cross_validate(
    *,
    data: Data = NO_DATA,
    folds: Annotated[int, Parameter(group=RUN, validator=validators.Number(gte=2))] = 5,
    division: Annotated[int, Parameter(group=RUN)] = 0,
    preset: Annotated[PresetName | None, Parameter(group=RUN)] = None,
    groups: Annotated[Path | None, Parameter(group=DATA)] = None,
    subset: Annotated[str, Parameter(group=RARE_DATA)] = "training",
    tiou: Annotated[str, Parameter(group=RUN)] = "0.1:0.7:0.1",
    as_json: Annotated[Flag, Parameter(name="--json", group=RUN)] = False,
    **options: Any,
) -> None:
    """Measures a recipe on places that its networks have not seen, and writes no network.

    Each fold is measured by a network that learned from the others. Intervals have 95 % of 1000
    resamples of the videos.

    Args:
        data: the data set.
        folds: Number of networks.
        division: Seed of the division into folds.
        preset: Recipe to start from, chosen as for `ecm fit` if not given.
        groups: CSV file with the columns video and group. Videos of one group are in one fold.
            Without it, --videos are divided by the scenes that they show, and features by tags.
        subset: Subset that is divided.
        tiou: tIoU thresholds of mAP: 0.5, or 0.3,0.5,0.7, or first:last:step.
        as_json: Print JSON instead of a table.
        **options: changes of the preset and of the execution.
    """
    execution, changes = split(options, Execution)
    tiou_K = tiou_range(tiou)  # a mistake ends before extraction and training
    named_recipe(preset or DEFAULT_PRESET).override(changes)
    group_of = read_groups(groups) if groups else None
    videos = data.read().subset(subset)
    recipe = chosen_recipe(preset, {"calibration_folds": 0, **changes}, videos)
    videos = learnable_videos(videos, recipe)
    divided = _divided(videos, data.videos, group_of, folds, division)
    held_out = _held_out(divided, recipe, execution)
    figures = _figures(held_out, tiou_K)
    if as_json:
        print(json.dumps({name: asdict(figure) for name, figure in figures.items()}))
    else:
        print(_table(figures, held_out))


def _divided(
    videos: VideoSet,
    files: Path | None,
    groups: Mapping[str, str] | None,
    folds: int,
    seed: int,
) -> list[Split]:
    if groups is not None:
        return splits_by_group(videos, groups, folds, seed)
    if files:
        found = scenes_of(videos, files, partial(video_bar, name="scenes"))
        return splits_by_scene(videos, found, folds, seed)
    return splits_by_tag(videos, folds, seed)


def _held_out(divided: Sequence[Split], recipe: Recipe, execution: Execution) -> list[HeldOut]:
    """Returns the output for the videos of each fold, by a network of the others.

    Raises:
        DataError: No fold can be learned.
    """
    of_folds = replace(recipe, patience=None, judge="tags")
    learned = [len(split.learned.videos) for split in divided if split.is_learnable]
    steps = of_folds.epochs * sum(steps_per_epoch(videos, of_folds) for videos in learned)
    with step_bar(of_folds, name="folds", steps=steps) as progress:

        def train(learned: VideoSet) -> Checkpoint:
            last = trained(learned, of_folds, execution=execution, progress=progress)
            return finishing(learned, of_folds, execution)(last)

        held_out = out_of_fold(divided, train, execution.torch_device())
    if not held_out:
        raise DataError("no fold can be learned: the videos of the others all have the same tags")
    return [_distinct(one) for one in held_out]


def _distinct(one: HeldOut) -> HeldOut:
    """Returns an output whose video has the fold in its id, as parts of a video may be in many."""
    return replace(one, video=replace(one.video, id=f"{one.video.id}#{one.fold}"))


def _figures(held_out: Sequence[HeldOut], tiou_K: Sequence[float]) -> dict[str, Interval]:
    """Returns mAP, where there are times, and the figures of the tags."""
    count_RV = resampled_counts([one.video.id.rpartition("#")[0] for one in held_out])
    figures: dict[str, Interval] = {}
    if any(one.video.instances for one in held_out):
        truth = {one.video.id: one.video.instances for one in held_out}
        segments = {one.video.id: one.predict().segments for one in held_out}
        names = [*(f"mAP@{tiou:g}" for tiou in tiou_K), "mAP"]
        figures |= zip(names, detection_intervals(truth, segments, tiou_K, count_RV), strict=True)
    scored = scored_by(held_out)
    tags = tag_intervals(scored.score_VC, scored.tag_VC, count_RV)
    return figures | dict(zip(("tagging_mAP", "tagging_AUC"), tags, strict=True))


def _table(figures: dict[str, Interval], held_out: Sequence[HeldOut]) -> str:
    rows = [
        f"{name:12} {100 * one.value:6.1f} %   {100 * one.low:5.1f} to {100 * one.high:5.1f}"
        for name, one in figures.items()
    ]
    scored = scored_by(held_out)
    threshold_V = np.array([one.spec.localization.class_threshold for one in held_out])
    is_empty_V = (scored.score_VC < threshold_V[:, None]).all(axis=1)
    tagged_V = scored.tag_VC.any(axis=1)
    networks = len(np.unique(scored.fold_V))
    return "\n".join(
        [
            f"{len(held_out)} videos or parts of videos, {networks} networks",
            f"{'':12} {'figure':>8}   95 % of resamples",
            *rows,
            f"log loss {log_loss(scored.score_VC, scored):.3f}, Brier score "
            f"{brier_score(scored.score_VC, scored):.3f}",
            f"come out empty: {(tagged_V & is_empty_V).sum()} of {tagged_V.sum()} with a tag, "
            f"{(~tagged_V & is_empty_V).sum()} of {(~tagged_V).sum()} without",
        ]
    )

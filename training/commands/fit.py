"""`ecm fit`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from model.localization.localize import LocalizationConfig
from model.spec import ModelSpec
from training.commands.data import NO_DATA, Data
from training.commands.options import RARE_DATA, RUN, field_values, split, with_fields
from training.commands.presets import PresetName, preset_in
from training.commands.run import evaluation_text, flushed_denormals, software, torch_engine
from training.datasets.video_record import VideoSet
from training.execution import Execution
from training.loop import fit as train
from training.measurement.evaluation import TorchEngine, evaluate
from training.measurement.metrics import tiou_range
from training.measurement.summary import TrainingSummary, summarize
from training.objective import Objective
from training.parallel import join_process_group
from training.presets import preset as named_recipe
from training.recipe import Recipe

DEFAULT_PRESET = "own-data"


@with_fields(Execution, Recipe, Objective, LocalizationConfig)
@flushed_denormals()
def fit(
    *,
    data: Data = NO_DATA,
    out: Annotated[Path, Parameter(group=RUN)],
    preset: Annotated[PresetName, Parameter(group=RUN)] = DEFAULT_PRESET,
    train_subset: Annotated[str, Parameter(group=RARE_DATA)] = "training",
    validation_subset: Annotated[str, Parameter(group=RARE_DATA)] = "validation",
    **options: Any,
) -> None:
    """Trains a network and prints how well it recognizes the tags.

    Args:
        data: the data set.
        out: Folder of the run.
        preset: Recipe to start from, one of `ecm presets`.
        train_subset: Subset to learn from.
        validation_subset: Subset whose tags choose best.pt. It may be absent.
        **options: changes of the preset and of the execution.
    """
    execution, changes = split(options, Execution)
    recipe = named_recipe(preset).override(changes)
    videos = data.read()
    has_validation = any(video.subset == validation_subset for video in videos.videos)
    validation = videos.subset(validation_subset) if has_validation else None
    training = videos.subset(train_subset)
    if validation:
        training.require_apart(validation)
    with join_process_group(execution.torch_device()) as group:
        last = train(
            training, validation, recipe, out, execution=execution, group=group, software=software()
        )
        if group.is_main:
            engine = torch_engine(last, execution.device)
            named = data.command_line()
            summary = summarize(engine, last.spec, training, validation, out=out, data=named)
            classes = len(last.spec.labels)
            print(f"{out}: {last.epoch} epochs, {classes} class{'' if classes == 1 else 'es'}")
            print(_tagging(summary))
            _print_figures(engine, last.spec, validation)
            print(f"next: {summary.next_command}")


def _print_figures(engine: TorchEngine, spec: ModelSpec, validation: VideoSet | None) -> None:
    """Prints mAP, if there are validation videos with times to measure it on."""
    if validation and any(video.instances for video in validation.videos):
        result = evaluate(engine, spec, validation, tiou_range("0.1:0.7:0.1"))
        print(f"last epoch on {validation.videos[0].subset}:\n{evaluation_text(result, spec)}")


def _tagging(summary: TrainingSummary) -> str:
    """Returns how well the tags are recognized, and the classes that could not be learned."""
    lines = [
        f"tags of {summary.measured_on}: "
        f"mean AP {_percent(summary.mean_ap)}, mean AUC {_percent(summary.mean_auc)}"
    ]
    lines += [f"not learned: {one.label}, because {one.problem}" for one in summary.not_learned]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return "unknown" if math.isnan(share) else f"{100 * share:.1f} %"


def shown_defaults(words: Sequence[str]) -> dict[str, Any]:
    """Returns the values of the preset that the words name, and those of the execution."""
    recipe = named_recipe(preset_in(words) or DEFAULT_PRESET)
    return field_values(Execution()) | field_values(recipe)

"""`ecm fit`."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from model.calibration import Calibration
from model.localization.localize import LocalizationConfig
from model.spec import ModelSpec
from training.checkpoint import Checkpoint
from training.commands.data import NO_DATA, Data
from training.commands.options import RARE_DATA, RUN, Flag, field_values, split, with_fields
from training.commands.presets import PresetName, preset_in
from training.commands.run import evaluation_text, flushed_denormals, software, torch_engine
from training.configuration.execution import Execution
from training.configuration.objective import Objective
from training.configuration.presets import preset as named_recipe
from training.configuration.presets import preset_for
from training.configuration.recipe import Recipe
from training.datasets.video_record import VideoSet
from training.loop import fit as train
from training.measurement.evaluation import TorchEngine, evaluate
from training.measurement.metrics import tiou_range
from training.measurement.summary import TrainingSummary, mean, summarize
from training.parallel import join_process_group

DEFAULT_PRESET = "own-data"
_log = logging.getLogger(__name__)


@with_fields(Execution, Recipe, Objective, LocalizationConfig)
@flushed_denormals()
def fit(
    *,
    data: Data = NO_DATA,
    out: Annotated[Path, Parameter(group=RUN)],
    preset: Annotated[PresetName | None, Parameter(group=RUN)] = None,
    train_subset: Annotated[str, Parameter(group=RARE_DATA)] = "training",
    validation_subset: Annotated[str, Parameter(group=RARE_DATA)] = "validation",
    retrain: Annotated[Flag, Parameter(group=RUN)] = False,
    **options: Any,
) -> None:
    """Trains a network and prints how well it recognizes the tags.

    Args:
        data: the data set.
        out: Folder of the run.
        preset: Recipe to start from, one of `ecm presets`. Without it, own-videos where a training
            video has no tag or all tags are one class, else own-data.
        train_subset: Subset to learn from.
        validation_subset: Subset whose tags choose best.pt. It may be absent.
        retrain: Replace the run in the folder by a new one, instead of resuming it.
        **options: changes of the preset and of the execution.
    """
    execution, changes = split(options, Execution)
    named_recipe(preset or DEFAULT_PRESET).override(changes)  # a mistake ends before extraction
    videos = data.read()
    has_validation = any(video.subset == validation_subset for video in videos.videos)
    validation = videos.subset(validation_subset) if has_validation else None
    training = videos.subset(train_subset)
    if validation:
        training.require_apart(validation)
    recipe = chosen_recipe(preset, changes, training)
    with join_process_group(execution.torch_device()) as group:
        last = train(
            training, validation, recipe, out, execution=execution, group=group,
            software=software(), retrain=retrain,
        )  # fmt: skip
        if group.is_main:
            engine = torch_engine(last, execution.device)
            named = data.command_line()
            summary = summarize(engine, last.spec, training, validation, out=out, data=named)
            _print_summary(summary, last, out)
            _print_figures(engine, last.spec, validation)
            print(f"next: {summary.next_command}")


def chosen_recipe(preset: str | None, changes: Mapping[str, Any], training: VideoSet) -> Recipe:
    """Returns a preset with changes; the tags choose the preset if no option does."""
    if preset is None:
        preset = DEFAULT_PRESET if "activation" in changes else preset_for(training)
        _log.info("preset %s, chosen by the tags of the training videos", preset)
    return named_recipe(preset).override(changes)


def _print_summary(summary: TrainingSummary, last: Checkpoint, out: Path) -> None:
    classes = len(last.spec.labels)
    print(f"{out}: {last.epoch} epochs, {classes} class{'' if classes == 1 else 'es'}")
    print(_tagging(summary))
    print(*_out_of_fold(last.spec.calibration, last.spec), sep="\n")


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


def _out_of_fold(calibration: Calibration | None, spec: ModelSpec) -> list[str]:
    """Returns the figures of the training videos out of fold."""
    if calibration is None:
        return ["class scores are not calibrated; see --calibration-folds"]
    log_loss, brier = calibration.log_loss, calibration.brier
    curve = calibration.curve.kind if calibration.curve else "none, because the scores fit best"
    threshold = spec.localization.class_threshold
    return [
        f"tags of {calibration.videos} training videos, out of {calibration.folds} folds: "
        f"mean AP {_percent(mean(calibration.ap_C))}, mean AUC {_percent(mean(calibration.auc_C))}",
        f"calibration {curve}: log loss {log_loss[0]:.3f}, after it {log_loss[1]:.3f}; "
        f"Brier score {brier[0]:.3f}, after it {brier[1]:.3f}",
        f"class threshold {threshold:g}: {calibration.tagged_empty} of {calibration.tagged} videos "
        f"with a tag come out empty, and {calibration.untagged_empty} of {calibration.untagged} "
        "without one",
        *calibration.notes,
    ]


def _percent(share: float) -> str:
    return "unknown" if math.isnan(share) else f"{100 * share:.1f} %"


def shown_defaults(words: Sequence[str]) -> dict[str, Any]:
    """Returns the values of the preset that the words name, and those of the execution."""
    recipe = named_recipe(preset_in(words) or DEFAULT_PRESET)
    return field_values(Execution()) | field_values(recipe)

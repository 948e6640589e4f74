"""`ecm oracle`."""

from typing import Annotated, Any

from cyclopts import Parameter

from model.localization.localize import LocalizationConfig
from training.batches import steps_per_epoch
from training.commands.data import NO_DATA, Data
from training.commands.fit import chosen_recipe, shown_defaults
from training.commands.options import RARE_DATA, RUN, Flag, split, with_fields
from training.commands.presets import PresetName
from training.commands.run import evaluation_text, flushed_denormals, torch_engine
from training.configuration.execution import Execution
from training.configuration.objective import Objective
from training.configuration.recipe import Recipe
from training.measurement.evaluation import evaluate
from training.measurement.metrics import tiou_range
from training.oracle import taught_times
from training.progress import step_bar

__all__ = ["oracle", "shown_defaults"]


@with_fields(Execution, Recipe, Objective, LocalizationConfig)
@flushed_denormals()
def oracle(
    *,
    data: Data = NO_DATA,
    preset: Annotated[PresetName | None, Parameter(group=RUN)] = None,
    train_subset: Annotated[str, Parameter(group=RARE_DATA)] = "training",
    validation_subset: Annotated[str, Parameter(group=RARE_DATA)] = "validation",
    native_length: Annotated[Flag, Parameter(group=RUN)] = False,
    tiou: Annotated[str, Parameter(group=RUN)] = "0.1:0.7:0.1",
    **options: Any,
) -> None:
    """Measures the ceiling of a data set: a recipe's network, taught the true times.

    Nothing is written. Segments are read from the probabilities of the snippets, because these are
    what was taught, unless --cas-scale is given.

    Args:
        data: the data set, with times also of the training videos.
        preset: Recipe to start from, chosen as for `ecm fit` if not given.
        train_subset: Subset to learn from.
        validation_subset: Subset to measure on.
        native_length: Train on videos at their own length, which blurs no short instance.
        tiou: tIoU thresholds of mAP: 0.5, or 0.3,0.5,0.7, or first:last:step.
        **options: changes of the preset and of the execution.
    """
    execution, changes = split(options, Execution)
    videos = data.read()
    training, validation = videos.subset(train_subset), videos.subset(validation_subset)
    training.require_apart(validation)
    recipe = chosen_recipe(preset, {"cas_scale": "probability", **changes}, training)
    steps = steps_per_epoch(len(training.videos), recipe) * recipe.epochs
    device = execution.torch_device()
    with step_bar(recipe, name="oracle", steps=steps) as progress:
        taught = taught_times(
            training, recipe, native=native_length, device=device, progress=progress
        )
    engine = torch_engine(taught, device)
    result = evaluate(engine, taught.spec, validation, tiou_range(tiou))
    print(f"taught the true times, on {validation_subset}:\n{evaluation_text(result, taught.spec)}")

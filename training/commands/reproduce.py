"""`ecm reproduce`."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter, validators

from model.localization.localize import LocalizationConfig
from training.commands.data import NO_DATA, Data
from training.commands.options import RARE_DATA, RUN, field_values, split, with_fields
from training.commands.presets import PresetName, preset_in
from training.commands.run import flushed_denormals, software
from training.configuration.execution import Execution
from training.configuration.objective import Objective
from training.configuration.presets import preset as named_recipe
from training.configuration.recipe import Recipe
from training.data_digest import data_digest, warn_of_same_features
from training.datasets.video_record import VideoSet
from training.experiments.study import Study

EXPERIMENTS = (
    "table1", "table2", "table3", "table4", "table5", "table6", "figure5", "figure6",
)  # fmt: skip
Protocol: TypeAlias = Literal["honest", "released"]


@with_fields(
    Execution, Recipe, Objective, LocalizationConfig, leave_out=("seed", "protocol", "judge")
)
@flushed_denormals()
def reproduce(
    experiment: Annotated[str, Parameter(choices=EXPERIMENTS)],
    /,
    *,
    data: Data = NO_DATA,
    seeds: Annotated[int, Parameter(group=RUN, validator=validators.Number(gte=1))] = 5,
    out: Annotated[Path, Parameter(group=RUN)] = Path("reproduction"),
    preset: Annotated[PresetName | None, Parameter(group=RUN)] = None,
    protocol: Annotated[Protocol, Parameter(group=RUN)] = "honest",
    hold_out: Annotated[float, Parameter(group=RARE_DATA)] = 0.1,
    train_subset: Annotated[str, Parameter(group=RARE_DATA)] = "training",
    test_subset: Annotated[str | None, Parameter(group=RARE_DATA)] = None,
    ambiguous: Annotated[Path | None, Parameter(group=RARE_DATA)] = None,
    video: Annotated[
        tuple[str, ...],
        Parameter(group=RUN, negative="", consume_multiple=True, show_default=False),
    ] = (),
    **options: Any,
) -> None:
    """Trains, measures and writes the findings of one experiment.

    Args:
        experiment: Table or figure; docs/howto/reproduce.md describes each.
        data: the data set.
        seeds: Networks of each kind to train.
        out: Folder of the runs, which experiments share, and of the findings.
        preset: Recipe, one of `ecm presets`; the experiment's own if not given.
        protocol: With released, settings of the released code and the best epoch on test videos.
        hold_out: Share of the training videos that chooses the best epoch where the data has no
            third subset. With 0, all training videos are learned from and the last epoch counts.
        train_subset: Subset to learn from.
        test_subset: Subset to measure on; test if there is one, else validation.
        ambiguous: Ambiguous_test.txt of THUMOS14. As in W-TALC's protocol, segments that overlap
            one of its intervals do not count.
        video: Test videos that figure5 draws.
        **options: changes of the preset and of the execution.
    """
    kind = import_module(f"training.experiments.{experiment}")
    execution, changes = split(options, Execution)
    recipe = chosen_recipe(kind.PRESET, preset, protocol, changes)
    videos, subsets = data.read(ambiguous), (train_subset, test_subset)
    training, judging, test = splits(videos, protocol, subsets, hold_out=hold_out)
    test_digest = data_digest(test, with_times=True)
    warn_of_same_features(data_digest(training), test_digest)
    study = Study(
        training, judging, test, recipe, tuple(range(seeds)), out, protocol, execution, video,
        software(), test_digest,
    )  # fmt: skip
    for path in kind.run(study).write(out, experiment):
        print(path)


def shown_defaults(words: Sequence[str]) -> dict[str, Any]:
    """Returns the values of the preset that the words name, and those of the execution."""
    name = preset_in(words)
    recipe = {} if name is None else field_values(named_recipe(name))
    return field_values(Execution()) | recipe


def chosen_recipe(
    own: str, preset: str | None, protocol: Protocol, changes: Mapping[str, Any]
) -> Recipe:
    """Returns the recipe of full ECM; `own` is the experiment's preset.

    Published protocols have no calibration.
    """
    changes = {"calibration_folds": 0, **changes}
    if protocol == "honest":
        return named_recipe(preset or own).override(changes)
    name = preset or f"{own}-released"
    judge = "mAP@0.5" if name.startswith("thumos14") else "mAP"
    return named_recipe(name).override({**changes, "judge": judge})


def splits(
    videos: VideoSet, protocol: Protocol, subsets: tuple[str, str | None], *, hold_out: float
) -> tuple[VideoSet, VideoSet | None, VideoSet]:
    """Returns the videos to learn from, to choose an epoch on, and to measure on."""
    train_subset, test_subset = subsets
    names = {video.subset for video in videos.videos}
    test_name = test_subset or ("test" if "test" in names else "validation")
    training, test = videos.subset(train_subset), videos.subset(test_name)
    training.require_apart(test)
    if protocol == "released":
        return training, test, test
    third = sorted(names - {train_subset, test_name})
    if third:
        judging = "validation" if "validation" in third else third[0]
        return training, videos.subset(judging), test
    if not hold_out:
        return training, None, test
    kept, held_out = training.hold_out(hold_out)
    return kept, held_out, test

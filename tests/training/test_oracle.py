from dataclasses import replace

import pytest

from model.errors import DataError
from training.configuration.presets import preset
from training.configuration.recipe import Recipe
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import TorchEngine, evaluate
from training.oracle import taught_times
from training.progress import step_bar

RECIPE = preset("demo").override(
    {
        "hidden_width": 32,
        "snippets": 64,
        "epochs": 30,
        "batch_size": 2,
        "cas_scale": "probability",
    }
)


def taught(training: VideoSet, recipe: Recipe = RECIPE, *, native: bool = False) -> float:
    with step_bar(recipe, name="oracle", steps=None) as progress:
        made = taught_times(training, recipe, native=native, device="cpu", progress=progress)
    engine = TorchEngine(made.network())
    return evaluate(engine, made.spec, training, (0.5,)).detection.average


@pytest.mark.parametrize("native", [False, True])
def test_times_are_learned(simulated: VideoSet, native: bool) -> None:
    """On an easy simulated data set, at either length."""
    assert taught(simulated.subset("training"), native=native) > 0.6


def test_tag_without_times_is_refused(simulated: VideoSet) -> None:
    """The message names the video and the tag."""
    training = simulated.subset("training")
    videos = (replace(training.videos[0], instances=()), *training.videos[1:])
    with pytest.raises(DataError, match=rf"{videos[0].id}: expected times of"):
        taught(replace(training, videos=videos))

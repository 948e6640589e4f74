import pytest

from model.errors import OptionError
from training.configuration.presets import PRESETS, preset
from training.configuration.recipe import Recipe

RELEASED = {  # snippets, batch, epochs, decay, top-k, beta, tau, thresholds, lambda, gamma, NMS
    "thumos14": (750, 16, 150, None, 0.125, 5, 0.25, (0.01, 0.2), 0.4, 0.15, 0.6),
    "activitynet12": (100, 128, 36, None, 0.25, 1, 0.12, (0, 0.175), 0.5, 0.45, 0.7),
    "activitynet13": (100, 128, 36, 26, 0.6, 1, 0.05, (0, 0.175), 0.5, 0.45, 0.7),
}


@pytest.mark.parametrize("name", RELEASED)
def test_released_presets_hold_the_released_settings(name: str) -> None:
    """Every number that the released code sets."""
    recipe = preset(f"{name}-released")
    reading = recipe.localization
    assert (
        recipe.snippets, recipe.batch_size, recipe.epochs, recipe.decay_epoch,
        recipe.objective.topk_ratio, recipe.objective.beta, reading.class_threshold,
        (reading.cas_threshold_min, reading.cas_threshold_max), reading.outer_ratio,
        reading.class_score_weight, reading.nms_iou,
    ) == RELEASED[name]  # fmt: skip
    assert (reading.protocol, reading.nms, reading.cas_threshold_step) == (
        "released",
        "greedy",
        0.025,
    )
    assert recipe.objective.absence == "released"
    assert (recipe.objective.alpha, recipe.learning_rate, recipe.weight_decay) == (0.05, 2e-4, 5e-4)


@pytest.mark.parametrize(
    ("name", "epochs"), [("thumos14", 150), ("activitynet12", 40), ("activitynet13", 40)]
)
def test_paper_presets_hold_the_settings_for_all_experiments(name: str, epochs: int) -> None:
    """Paper, section 4.1."""
    recipe = preset(name)
    objective = recipe.objective
    assert (recipe.batch_size, recipe.epochs, objective.topk_ratio) == (16, epochs, 1 / 8)
    assert (objective.alpha, objective.beta, objective.absence) == (0.05, 5, "paper")
    assert recipe.localization.class_threshold == 0.25


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_their_json(name: str) -> None:
    """A recipe read from its JSON is equal."""
    assert Recipe.from_json(preset(name).to_json()) == preset(name)


def test_options_override_by_name_and_unknown_ones_are_errors() -> None:
    """Fields of the recipe and of its parts; values may be text."""
    recipe = preset("thumos14").override({"epochs": "3", "beta": "0", "nms": "soft"})
    assert (recipe.epochs, recipe.objective.beta, recipe.localization.nms) == (3, 0, "soft")
    with pytest.raises(OptionError, match=r"'epoch'.*epochs"):
        recipe.override({"epoch": 3})
    for name, value in {"epochs": "many", "nms": "best", "dropout": 1.0, "epochs ": 1}.items():
        with pytest.raises(OptionError, match=name.strip()):
            recipe.override({name: value})
    with pytest.raises(OptionError, match="thumos15"):
        preset("thumos15")


def test_learning_rate_follows_its_schedule() -> None:
    """A step, a cosine to 0, and a linear warm-up."""
    recipe = preset("own-data").override({"learning_rate": 1.0, "epochs": 10})
    stepped = recipe.override({"decay_epoch": 6})
    assert [stepped.learning_rate_at(e) for e in (0, 5, 6, 9)] == pytest.approx([1, 1, 0.1, 0.1])
    cosine = recipe.override({"schedule": "cosine"})
    assert [cosine.learning_rate_at(e) for e in (0, 5)] == pytest.approx([1, 0.5])
    assert 0 < cosine.learning_rate_at(9) < 0.03
    warm = recipe.override({"warmup_epochs": 3})
    assert [warm.learning_rate_at(e) for e in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1, 1])


def test_own_videos_learns_from_videos_that_show_nothing() -> None:
    """It has a sigmoid for each class, so one class suffices, and thresholds on probabilities."""
    recipe = preset("own-videos")
    assert (recipe.objective.activation, recipe.localization.cas_scale) == (
        "sigmoid",
        "probability",
    )
    assert recipe.standardize

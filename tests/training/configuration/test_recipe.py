"""Recipes: options out of range are refused by name."""

import pytest

from model.errors import OptionError
from training.configuration.recipe import Recipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("warmup_epochs", -1),
        ("decay_epoch", -1),
        ("epochs", 0),
        ("learning_rate", "inf"),
        ("learning_rate", "nan"),
        ("learning_rate", 0),
        ("weight_decay", -1),
        ("dropout", 1),
        ("ema_decay", 1),
        ("topk_ratio", 0),
        ("alpha", -0.1),
        ("beta", "nan"),
        ("pre", "inf"),
        ("min_score", 7),
        ("outer_ratio", "inf"),
        ("seed", -1),
    ],
)
def test_options_out_of_range_are_refused(name: str, value: object) -> None:
    """The sentence names the option; NaN and infinity are never in range."""
    with pytest.raises(OptionError, match=name):
        Recipe().override({name: value})


def test_ends_of_the_ranges_are_allowed() -> None:
    """A weight of 0 switches a term off."""
    recipe = Recipe().override(
        {"warmup_epochs": 0, "decay_epoch": 0, "alpha": 0, "dropout": 0, "topk_ratio": 1}
    )
    assert recipe.objective.alpha == 0

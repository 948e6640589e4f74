"""`ecm presets`, and the option `--preset` of other commands."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from training.commands.options import field_values
from training.configuration.presets import PRESETS
from training.configuration.presets import preset as named_recipe

PresetName: TypeAlias = Annotated[str, Parameter(choices=tuple(PRESETS), show_choices=False)]
"""Name of a preset."""


def presets(name: PresetName | None = None, /) -> None:
    """Prints each preset with a sentence, or every field of one preset.

    Args:
        name: Preset whose fields are printed; without it, all presets are listed.
    """
    if name is not None:
        for field, value in field_values(named_recipe(name)).items():
            print(f"{field} = {value}")
        print(f"next: ecm fit --preset {name} --help")
        return
    for each, make in PRESETS.items():
        print(f"{each:24} {(make.__doc__ or '').splitlines()[0]}")
    print("next: ecm presets NAME")


def preset_in(words: Sequence[str]) -> str | None:
    """Returns the name that follows `--preset` in a command line that is not parsed yet."""
    for word, following in pairwise([*words, ""]):
        if word == "--preset" or word.startswith("--preset="):
            return following if word == "--preset" else word.removeprefix("--preset=")
    return None

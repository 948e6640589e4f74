"""`ecm presets`."""

from typing import Annotated

from cyclopts import Parameter

from training.commands.options import field_values
from training.presets import PRESETS
from training.presets import preset as named_recipe


def presets(
    name: Annotated[str | None, Parameter(choices=tuple(PRESETS))] = None, /
) -> None:
    """Prints each preset with a sentence, or every field of one preset.

    Args:
        name: Preset whose fields are printed.
    """
    if name is not None:
        for field, value in field_values(named_recipe(name)).items():
            print(f"{field} = {value}")
        print(f"next: ecm fit --preset {name} --help")
        return
    for each, make in PRESETS.items():
        print(f"{each:24} {(make.__doc__ or '').partition(chr(10))[0]}")
    print("next: ecm presets NAME")

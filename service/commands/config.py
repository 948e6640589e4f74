"""`ecm config`."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from service.commands.flags import with_settings
from service.configuration import read_configuration


@with_settings
def config(
    *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False, **flags: Any
) -> None:
    """Prints each setting with its value and its origin.

    Args:
        as_json: Print JSON.
        **flags: settings that go before those of the environment and the file.
    """
    configuration = read_configuration(flags)
    for warning in configuration.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(configuration.to_json() if as_json else configuration.lines())

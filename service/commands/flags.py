"""Options of `serve`, `work` and `config`: one for each field of `Settings`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypedDict, TypeVar, Unpack, get_origin

from cyclopts import Group, Parameter
from pydantic.fields import FieldInfo

from service.settings import Settings

_GROUPS: dict[str, Group] = {}
"""Groups of options in the order of the settings."""

Function = TypeVar("Function", bound=Callable[..., int | None])


def with_settings(function: Function) -> Function:
    """Gives a command one option per setting. `**flags` receives those that the user gave."""
    flags = {name: _flag(field) for name, field in Settings.model_fields.items()}
    given = TypedDict("given", flags, total=False)  # type: ignore[misc] # not a literal
    function.__annotations__["flags"] = Unpack[given]
    return function


def _flag(field: FieldInfo) -> Any:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, Mapping) else {}
    heading = str(extra.get("group", "Settings")) + (", rare" if extra.get("rare") else "")
    group = _GROUPS.setdefault(heading, Group.create_ordered(heading))
    is_table = get_origin(field.annotation) is dict
    return Annotated[
        tuple[str, ...] if is_table else field.annotation,
        Parameter(
            help=field.description,
            group=group,
            metavar="NAME=VALUE" if is_table else None,
            json_list=not is_table,
            negative_iterable="",
        ),
    ]


def shown_defaults(_: Sequence[str]) -> dict[str, Any]:
    """Returns the defaults of the settings, without those of the environment and of files."""
    return {name: field.default for name, field in Settings.model_fields.items()}

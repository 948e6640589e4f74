"""Options of the command line, made from the fields of dataclasses.

`with_fields` gives a command one option for each field of a dataclass. The field's docstring is the
help text. The command receives only the options that the user gave.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack, get_type_hints

from cyclopts import Group, Parameter
from docstring_parser import parse_from_object

_PARTS = {
    "Recipe": (
        "Training",
        (
            "epochs", "batch_size", "learning_rate", "snippets", "hidden_width", "standardize",
            "seed",
        ),
    ),
    "Objective": ("Training", ("activation",)),
    "LocalizationConfig": ("Segments", ("class_threshold", "min_score")),
    "Options": (
        "Segments",
        (
            "class_threshold", "nms_iou", "min_score", "max_segments", "snippet_s", "duration_s",
        ),
    ),
    "Execution": ("Machine", ("device",)),
}  # fmt: skip
"""Heading of the options of each dataclass, and the options that many users need. Only `--help-all`
shows its other options. All options of other dataclasses have the heading `Data`."""


def _ordered(heading: str) -> tuple[Group, Group]:
    return Group.create_ordered(heading), Group.create_ordered(f"{heading}, rare")


RUN, _ = _ordered("Run")
DATA, RARE_DATA = _ordered("Data")
_GROUPS = {heading: _ordered(heading) for heading in ("Training", "Segments", "Machine")}
MACHINE, _ = _GROUPS["Machine"]
_, RARE_SEGMENTS = _GROUPS["Segments"]

Flag: TypeAlias = Annotated[bool, Parameter(negative="")]
"""An option without a value."""
Device: TypeAlias = Annotated[Literal["auto", "cpu", "cuda"], Parameter(group=MACHINE)]
"""The device of torch."""

Function = TypeVar("Function", bound=Callable[..., None])
Part = TypeVar("Part")


def with_fields(*parts: type, leave_out: Collection[str] = ()) -> Callable[[Function], Function]:
    """Returns a decorator that turns fields of dataclasses into options of a command.

    The command receives the options that were given as `**options`, by field name.

    Args:
        *parts: the dataclasses; fields that are dataclasses themselves are skipped.
        leave_out: names of fields that do not become options.
    """
    options = {
        name: annotation
        for part in parts
        for name, annotation in _options(part).items()
        if name not in leave_out
    }

    def decorate(function: Function) -> Function:
        given = TypedDict("given", options, total=False)  # type: ignore[misc] # not a literal
        function.__annotations__["options"] = Unpack[given]
        return function

    return decorate


def _options(part: type) -> dict[str, Any]:
    """Returns the annotation of each field of a dataclass for cyclopts."""
    texts = {text.arg_name: text.description for text in parse_from_object(part).params}
    types = get_type_hints(part, include_extras=True)
    return {
        name: Annotated[
            kind,
            Parameter(help=" ".join((texts.get(name) or "").split()), group=_group(part, name)),
        ]
        for name, kind in types.items()
        if not is_dataclass(kind)
    }


def _group(part: type, name: str) -> Group:
    if part.__name__ not in _PARTS:
        return DATA
    heading, frequent = _PARTS[part.__name__]
    group, rare_group = _GROUPS[heading]
    return group if name in frequent else rare_group


def split(options: Mapping[str, Any], part: type[Part]) -> tuple[Part, dict[str, Any]]:
    """Returns a dataclass made from its own options, and the remaining options.

    Raises:
        OptionError: a value is out of its range.
    """
    own = {field.name for field in fields(part)}  # type: ignore[arg-type] # no bound: a dataclass
    made = part(**{name: value for name, value in options.items() if name in own})
    return made, {name: value for name, value in options.items() if name not in own}


def field_values(part: object) -> dict[str, Any]:
    """Returns the values of a dataclass and of the dataclasses in it, by field name."""
    values: dict[str, Any] = {}
    for field in fields(part):  # type: ignore[arg-type] # no type says "dataclass"
        value = getattr(part, field.name)
        values |= field_values(value) if is_dataclass(value) else {field.name: value}
    return values

"""Command-line flags made from the fields of a dataclass, with their docstrings as help."""

import argparse
import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from model.errors import OptionError
from model.validation import first_problem


def add_options(
    parser: argparse.ArgumentParser, *parts: type, only: Sequence[str] | None = None
) -> None:
    """Adds `--field-name VALUE` for every plain field of some dataclasses; absent means unset.

    Args:
        parser: takes the flags.
        parts: the dataclasses.
        only: names of the fields to add; all if not given.
    """
    for part in parts:
        group = parser.add_argument_group(part.__name__)
        described = field_docstrings(part)
        for field in fields(part):
            if is_dataclass(field.default_factory) or (only and field.name not in only):
                continue
            group.add_argument(
                "--" + field.name.replace("_", "-"),
                dest=f"{_PREFIX}{field.name}",
                default=argparse.SUPPRESS,
                metavar="VALUE",
                help=described[field.name].replace("%", "%%"),
            )


def given_options(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Returns the options that were given, by field name; the text `none` is None."""
    return {
        name.removeprefix(_PREFIX): None if value.lower() == "none" else value
        for name, value in vars(arguments).items()
        if name.startswith(_PREFIX)
    }


Part = TypeVar("Part")


def parse_options(part: Part, values: Mapping[str, Any]) -> Part:
    """Returns a dataclass, its parts included, with some fields changed, by name.

    Values may be text, as a command line gives it.

    Raises:
        OptionError: there is no such field, or a value does not fit it.
    """
    content = asdict(part)  # type: ignore[call-overload] # no bound says "dataclass"
    for name, value in values.items():
        holders = [
            holder
            for holder in (content, *content.values())
            if isinstance(holder, dict) and name in holder and not isinstance(holder[name], dict)
        ]
        if not holders:
            raise OptionError(f"unknown option {name!r}; there are {', '.join(_names(content))}")
        holders[0][name] = value
    try:
        return TypeAdapter(type(part)).validate_python(content)
    except ValidationError as error:
        raise OptionError(first_problem(error)) from None


def _names(content: Mapping[str, Any]) -> list[str]:
    own = [name for name, value in content.items() if not isinstance(value, dict)]
    return own + [n for value in content.values() if isinstance(value, dict) for n in _names(value)]


def field_docstrings(part: type) -> dict[str, str]:
    """Returns the text below each field of a dataclass, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(part))).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


_PREFIX = "option:"

"""Complaints of pydantic as errors of this project."""

from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter

from model.errors import OptionError
from model.validation import check_ranges, parse_json


@dataclass(frozen=True)
class Part:
    """A part of a whole."""

    size: int = 1


@dataclass(frozen=True)
class Whole:
    """A dataclass with a part and a rule of its own."""

    name: str
    part: Part

    def __post_init__(self) -> None:
        if not self.name:
            raise OptionError("name must not be empty")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the whole cannot be read: Invalid JSON"),
        ('{"part": {}}', "name: Field required$"),
        ('{"name": "a", "part": {"size": "large"}}', r"part\.size: .* got 'large'$"),
        ('{"name": "", "part": {}}', "the whole cannot be read: name must not be empty$"),
    ],
)
def test_complaint_is_one_line_that_names_the_field(text: str, message: str) -> None:
    """The caller chooses the error class."""
    with pytest.raises(OptionError, match=message):
        parse_json(TypeAdapter(Whole), text, name="the whole", error_class=OptionError)


@pytest.mark.parametrize(
    ("size", "interval", "is_inside"),
    [
        (0, "[0, 1]", True),
        (1, "[0, 1]", True),
        (0, "(0, 1)", False),
        (1, "(0, 1)", False),
        (10**400, "[0, inf)", True),
        (float("inf"), "[0, inf)", False),
        (float("nan"), "[0, inf)", False),
        (-1e-9, "[0, inf)", False),
        (None, "(0, 1)", True),
    ],
)
def test_ranges_have_open_and_closed_ends(size: float, interval: str, is_inside: bool) -> None:
    """Infinity and NaN are in no interval, and None is no number."""
    part = Part(size)  # type: ignore[arg-type]
    if is_inside:
        check_ranges(part, size=interval)
    else:
        with pytest.raises(OptionError, match="size must be in"):
            check_ranges(part, size=interval)

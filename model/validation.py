"""Checks of JSON and options: by pydantic, with its complaints as errors of ours, and by range."""

from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from model.errors import LocalizerError, OptionError

Value = TypeVar("Value")


def parse_json(
    adapter: TypeAdapter[Value], text: str | bytes, *, name: str, error_class: type[LocalizerError]
) -> Value:
    """Returns the object that a JSON text describes.

    Args:
        adapter: checks the text against a dataclass.
        text: the JSON.
        name: what the text is, for the message; for example "the recipe".
        error_class: the error to raise.

    Raises:
        LocalizerError: `error_class`, if the text is not JSON, or a field is missing, unknown, of
            the wrong type or out of range.
    """
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        problem = _newer_format(error) or first_problem(error)
        raise error_class(f"{name} cannot be read: {problem}") from error


def check_ranges(options: object, **intervals: str) -> None:
    """Checks numbers of a dataclass of options.

    NaN, infinity, True, False and texts are outside every interval.

    Args:
        options: the dataclass; a value may be None.
        intervals: the interval of each option in the notation of mathematics: `[0, 1)` contains 0
            and not 1, and `[1, inf)` contains every finite number from 1.

    Raises:
        OptionError: a number is outside its interval.
    """
    for name, interval in intervals.items():
        value = getattr(options, name)
        if value is not None and not _is_within(value, interval):
            raise OptionError(f"{name} must be in {interval}, not {value}")


def _is_within(value: object, interval: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, float | int | np.floating | np.integer):
        return False
    low, high = map(float, interval[1:-1].split(","))
    is_above = value >= low if interval.startswith("[") else value > low
    is_below = value <= high if interval.endswith("]") else value < high
    return bool(is_above and is_below)


def first_problem(error: ValidationError) -> str:
    """Returns the first complaint of pydantic in one line: `field.part: problem, got value`."""
    problem = error.errors()[0]
    if problem["type"] == "value_error":  # raised by the dataclass itself, as a whole sentence
        return str(problem["ctx"]["error"])
    where = ".".join(str(part) for part in problem["loc"])
    if not where:
        return problem["msg"]
    got = problem["input"]
    is_short = not isinstance(got, dict | list)  # a field that is missing has the whole object here
    return f"{where}: {problem['msg']}" + (f", got {got!r}" if is_short else "")


def _newer_format(error: ValidationError) -> str | None:
    """Returns a sentence if the text has a `format` beyond the one that this software reads."""
    for problem in error.errors():
        got = problem["input"]
        if problem["loc"] == ("format",) and isinstance(got, int) and got > 1:
            return (
                f"it has format {got}, which a newer version wrote; this version reads format "
                f"{problem['ctx']['expected']}; upgrade ecm-localizer"
            )
    return None

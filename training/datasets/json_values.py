"""Numbers and times in JSON files of ActivityNet's format, as people and programs write them."""

from typing import Any


def number(value: Any) -> float:
    """Returns a number, which may be quoted.

    Raises:
        TypeError: The value is neither a number nor text; true, false and null are not.
        ValueError: The text is not a number, or the number is too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"expected a number, got {value!r}")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("expected a number below 1e308") from error


def times(segment: Any) -> tuple[float, float]:
    """Returns start and end of a segment in seconds.

    Raises:
        TypeError: The value is not a list, or a time is not a number.
        ValueError: A time is text but not a number.
        IndexError: The list has fewer than two times.
    """
    if not isinstance(segment, list):
        raise TypeError(f"expected [start, end], got {segment!r}")
    return number(segment[0]), number(segment[1])

"""Notation of numbers and times in plots and pages."""

from math import isnan

NOT_A_NUMBER = "\N{EN DASH}"
"""Notation of a number that could not be measured."""


def percent(share: float, digits: int = 1) -> str:
    """Returns `56.1` for 0.561, and a dash for NaN."""
    return decimal(100 * share, digits)


def decimal(value: float, digits: int = 3) -> str:
    """Returns `0.041` for 0.0412, and a dash for NaN."""
    return NOT_A_NUMBER if isnan(value) else f"{value:.{digits}f}"


def clock(time_s: float) -> str:
    """Returns `0:05`, `12:34` or, from one hour on, `1:02:03`."""
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

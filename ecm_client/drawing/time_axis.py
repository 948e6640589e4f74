"""Ticks of a time axis."""

TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Distances between two ticks."""


def tick_step_s(duration_s: float, most: int) -> float:
    """Returns the smallest distance of ticks that gives at most `most` of them."""
    fitting = (step for step in TICK_STEPS_S if duration_s / step <= most)
    return next(fitting, duration_s / most)


def tick_name(time_s: float, step_s: float) -> str:
    """Returns a time such as 1:30, 1:02:03, or 0:01.5 if ticks are less than a second apart."""
    tenths = round(time_s * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10:02d}" + (f".{rest % 10}" if step_s < 1 else "")
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"

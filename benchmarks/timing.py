"""Median time of functions that take turns, so that other work on the machine hits all alike."""

import time
from collections.abc import Callable, Mapping

import numpy as np

PATIENCE_S = 20.0
"""A function that takes longer in its first run is not run again."""


def median_s(
    work: Callable[[], object],
    repeats: int,
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Returns the median time of one function in seconds; `medians_s` has the details."""
    return medians_s({"": work}, repeats, patience_s=patience_s, clock=clock)[""]


def medians_s(
    works: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Returns the median time of each function in seconds.

    Args:
        works: the functions, by name; each runs once in every turn.
        repeats: number of timed turns, after one turn that does not count.
        patience_s: a function that takes longer in its first run is not run again, and that run
            counts.
        clock: `time.process_time` measures CPU time, on which other processes have less effect.
    """
    times_s: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            if times_s[name] and times_s[name][0] > patience_s:
                continue
            start_s = clock()
            work()
            times_s[name].append(clock() - start_s)
    return {name: float(np.median(own_s[1:] or own_s)) for name, own_s in times_s.items()}

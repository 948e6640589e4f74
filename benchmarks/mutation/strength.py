"""The share of the mutants of a file that its tests kill."""

import difflib
import importlib.util
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forks import Outcome, import_libraries, run_tests
from mutants import Mutant, mutants, sample

ENOUGH = 0.95
"""Killed mutants of a file, as a share of those that ran, below which the program fails."""


@dataclass(frozen=True)
class Limits:
    """The work that is allowed."""

    places: int | None
    """The number of places that change in a file; None means all mutants of all places."""
    seed: int
    """The seed by which the places are drawn."""
    mutant_s: float | None
    """The time of one mutant; None takes three times that of the unchanged file, and 10 s."""
    end_s: float
    """The time on the monotonic clock after which no mutant begins."""


@dataclass(frozen=True)
class Strength:
    """The result for one file."""

    file: str
    """Its path from the root of the tree."""
    survivors: tuple[str, ...] = ()
    """The mutants that no test noticed, as diffs."""
    killed: int = 0
    """The mutants that a test noticed, including time-outs."""
    timeouts: int = 0
    """The mutants whose tests did not end in time."""
    left: int = 0
    """The mutants that did not run, because the time for all was up."""

    @property
    def ran(self) -> int:
        """The mutants whose tests ran."""
        return self.killed + len(self.survivors)

    @property
    def enough(self) -> bool:
        """Whether the tests killed enough; not so if no mutant ran."""
        return self.ran > 0 and self.killed >= ENOUGH * self.ran


def mirror_tests(root: Path, source: Path) -> list[Path]:
    """Returns the tests that mirror a source, as paths from the root.

    `model/spec.py` has `tests/model/test_spec.py` and `tests/model/test_spec_*.py`. A source
    without such a file has all tests of its mirroring folder. `tests/model/test_localization.py`
    would test each source of `model/localization`.
    """
    folder = root / "tests" / source.parent
    own = [*folder.glob(f"test_{source.stem}.py"), *folder.glob(f"test_{source.stem}_*.py")]
    of_package = folder.parent.glob(f"test_{source.parent.name}.py")
    return sorted(p.relative_to(root) for p in (*(own or folder.glob("test_*.py")), *of_package))


def measure(file: Path, limits: Limits) -> Strength:
    """Runs the tests of a file, below the working folder, on a sample of its mutants.

    A surviving mutant is printed at once, because the sample may take an hour.
    """
    tests = mirror_tests(Path(), file)
    limit_s = limits.mutant_s or 10 + 3 * unchanged_s(tests, file)
    chosen = sample(mutants(file), limits.places, limits.seed)
    survivors: list[str] = []
    killed = timeouts = 0
    for number, mutant in enumerate(chosen):
        if time.monotonic() > limits.end_s:
            return Strength(str(file), tuple(survivors), killed, timeouts, len(chosen) - number)
        outcome, diff = run(file, mutant, tests, limit_s)
        if outcome.passed:
            survivors.append(diff)
            print(diff, flush=True)
        else:
            killed, timeouts = killed + 1, timeouts + outcome.timed_out
        show_progress(file, number + 1, len(chosen), len(survivors))
    return Strength(str(file), tuple(survivors), killed, timeouts)


def run(file: Path, mutant: Mutant, tests: Sequence[Path], limit_s: float) -> tuple[Outcome, str]:
    """Runs the tests on one mutant, and restores the file; returns the end and the difference.

    Raises:
        ValueError: if the place of the mutant is not in the file.
    """
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator

    operator = get_operator(mutant.operator)()
    with use_mutation(file, operator, mutant.occurrence) as (source, changed):
        if changed is None:
            raise ValueError(f"{file} has no place for {mutant}")
        outcome = run_tests(tests, limit_s)
    lines = difflib.unified_diff(
        source.splitlines(), changed.splitlines(), f"a/{file}", f"b/{file}", lineterm=""
    )
    return outcome, "\n".join(lines)


def unchanged_s(tests: Sequence[Path], file: Path) -> float:
    """Returns the time of the tests on the unchanged file; they must pass.

    The first run leaves bytecode of the project. That of the file itself is removed, because its
    mutants may have its size and its time.
    """
    for outcome in (import_libraries(tests), run_tests(tests, None)):
        if not outcome.passed:
            raise SystemExit(
                f"error: the tests of {file} fail without any change:\n{outcome.output[-4000:]}"
            )
    Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)
    return outcome.took_s


def show_progress(file: Path, done: int, of: int, survived: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{file}: {done} of {of}, {survived} survived", end="", file=sys.stderr, flush=True)
        if done == of:
            print(file=sys.stderr)


def table(results: Sequence[Strength]) -> str:
    """Returns the results as a table, one line for each file."""
    width = max(len("file"), *(len(result.file) for result in results))
    lines = [f"{'file':{width}} mutants killed survived time-outs not-run  share"]
    for result in results:
        share = f"{result.killed / result.ran:6.1%}" if result.ran else "  none"
        lines.append(
            f"{result.file:{width}} {result.ran:7} {result.killed:6} {len(result.survivors):8}"
            f" {result.timeouts:9} {result.left:7} {share}{'' if result.enough else '  too few'}"
        )
    return "\n".join(lines)

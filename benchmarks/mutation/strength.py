"""The share of the mutants of a file that its tests kill."""

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mutants import Mutant, mutants, sample

if TYPE_CHECKING:
    from cosmic_ray.work_item import WorkResult

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
    without such a file has all tests of its mirroring folder.
    """
    folder = root / "tests" / source.parent
    own = [*folder.glob(f"test_{source.stem}.py"), *folder.glob(f"test_{source.stem}_*.py")]
    return sorted(path.relative_to(root) for path in own or folder.glob("test_*.py"))


def measure(file: Path, limits: Limits) -> Strength:
    """Runs the tests of a file, below the working folder, on a sample of its mutants.

    A surviving mutant is printed at once, because the sample may take an hour.
    """
    command = test_command(mirror_tests(Path(), file))
    limit_s = limits.mutant_s or 10 + 3 * unchanged_s(command, file)
    chosen = sample(mutants(file), limits.places, limits.seed)
    survivors: list[str] = []
    killed = timeouts = 0
    for number, mutant in enumerate(chosen):
        if time.monotonic() > limits.end_s:
            return Strength(str(file), tuple(survivors), killed, timeouts, len(chosen) - number)
        result = run(file, mutant, command, limit_s)
        if result.is_killed:
            killed, timeouts = killed + 1, timeouts + (result.output == "timeout")
        else:
            survivors.append(str(result.diff))
            print(result.diff, flush=True)
        show_progress(file, number + 1, len(chosen), len(survivors))
    return Strength(str(file), tuple(survivors), killed, timeouts)


def run(file: Path, mutant: Mutant, command: str, limit_s: float) -> "WorkResult":
    """Runs the tests on one mutant, and restores the file.

    Raises:
        RuntimeError: if the mutant cannot be made, or the tests cannot start.
    """
    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.work_item import MutationSpec

    spec = MutationSpec(file, mutant.operator, mutant.occurrence, mutant.start, mutant.end)
    result = mutate_and_test([spec], command, limit_s)
    if result.worker_outcome != "normal" or result.test_outcome == "incompetent":
        raise RuntimeError(f"the mutant {mutant} of {file} could not run: {result.output}")
    return result


def test_command(tests: Sequence[Path]) -> str:
    """Returns the shell command that runs some tests and ends at the first failure."""
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    return shlex.join([*pytest, *map(str, tests)])


def unchanged_s(command: str, file: Path) -> float:
    """Returns the time of the tests on the unchanged file; they must pass."""
    from cosmic_ray.testing import run_tests

    begin_s = time.monotonic()
    outcome, output = run_tests(command, None)
    if outcome != "survived":
        raise SystemExit(f"error: the tests of {file} fail without any change:\n{output[-4000:]}")
    return time.monotonic() - begin_s


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

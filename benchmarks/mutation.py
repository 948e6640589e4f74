"""Strength of the tests: the share of small changes of a file that its own tests notice.

    python benchmarks/mutation.py model/localization/runs.py --sample 25 --seed 0

cosmic-ray makes the changes (mutants) in a copy of the tree, and runs the tests that mirror the
file. A mutant is killed if a test fails or does not end in time. The exit status is 1 if less than
95 % of the mutants of a file are killed.
"""

import argparse
import ast
import contextlib
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutation_operators import EQUIVALENT_OPERATORS, register_removal

ROOT = Path(__file__).resolve().parents[1]
ENOUGH = 0.95
"""Killed mutants of a file, as a share of those that ran, below which the program fails."""

Position = tuple[int, int]
"""A line, from 1, and a column, from 0."""


@dataclass(frozen=True)
class Mutant:
    """One change of a file."""

    operator: str
    """The kind of change, by cosmic-ray's name."""
    occurrence: int
    """The place among all places of the file that the operator can change."""
    position: Position
    """The first character of that place."""


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


def main() -> int:
    arguments = parse(sys.argv[1:])
    deadline_s = time.monotonic() + arguments.total_s
    results = []
    with copied_tree() as tree:
        for file in arguments.files:
            results.append(measure(tree, file, arguments, deadline_s))
            print(table(results[-1:]), flush=True)
    print(table(results))
    return 0 if all(result.enough for result in results) else 1


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Reads the command line; a file without mirroring tests is an error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="sources, by their path from the root")
    parser.add_argument("--sample", type=int, help="places to change in a file (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument(
        "--limit-s", type=float, help="time of one mutant (default: three times the unchanged file)"
    )
    parser.add_argument("--total-s", type=float, default=3600.0, help="time of all mutants")
    arguments = parser.parse_args(words)
    for file in arguments.files:
        if file.is_absolute() or not (ROOT / file).is_file():
            parser.error(f"{file} is not a file below {ROOT}; give its path from there")
        if not mirror_tests(ROOT, file):
            parser.error(
                f"no test mirrors {file}; expected {Path('tests') / file.parent}/test_*.py"
            )
    return arguments


@contextlib.contextmanager
def copied_tree() -> Iterator[Path]:
    """Copies what git tracks or would track to a temporary folder, which becomes the working one.

    The folder `shared` beside the tree, which holds reference data, is linked beside the copy.
    """
    listing = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        tree = Path(folder) / "tree"
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        if (ROOT.parent / "shared").exists():
            (tree.parent / "shared").symlink_to(ROOT.parent / "shared")
        os.environ["PYTHONPATH"] = str(tree)
        with contextlib.chdir(tree):
            yield tree


def mirror_tests(root: Path, source: Path) -> list[Path]:
    """Returns the tests that mirror a source, as paths from the root.

    `model/spec.py` has `tests/model/test_spec.py` and `tests/model/test_spec_*.py`. A source
    without such a file has all tests of its mirroring folder.
    """
    folder = root / "tests" / source.parent
    own = [*folder.glob(f"test_{source.stem}.py"), *folder.glob(f"test_{source.stem}_*.py")]
    return sorted(path.relative_to(root) for path in own or folder.glob("test_*.py"))


def measure(tree: Path, file: Path, arguments: argparse.Namespace, deadline_s: float) -> Strength:
    """Runs the tests of a file on the mutants of a sample, until the deadline."""
    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.work_item import MutationSpec

    command = test_command(mirror_tests(tree, file))
    limit_s = arguments.limit_s or 3 * unchanged_s(command, file)
    chosen = sample(mutants(file), arguments.sample, arguments.seed)
    survivors, killed, timeouts = [], 0, 0
    for number, mutant in enumerate(chosen):
        if time.monotonic() > deadline_s:
            return Strength(str(file), tuple(survivors), killed, timeouts, len(chosen) - number)
        place = (mutant.position, mutant.position)
        spec = MutationSpec(file, mutant.operator, mutant.occurrence, *place)
        result = mutate_and_test([spec], command, limit_s)
        if result.worker_outcome != "normal" or result.test_outcome == "incompetent":
            raise RuntimeError(f"the mutant {mutant} of {file} could not run: {result.output}")
        if result.is_killed:
            killed, timeouts = killed + 1, timeouts + (result.output == "timeout")
        else:
            survivors.append(str(result.diff))
        show_progress(file, number + 1, len(chosen), len(survivors))
    return Strength(str(file), tuple(survivors), killed, timeouts)


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


def mutants(file: Path) -> list[Mutant]:
    """Returns every change of a file, in the order of its places."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator, operator_names

    register_removal()
    tree, skipped = get_ast_from_path(file), unmeasured_spans(file.read_text())
    found = []
    for name in operator_names():
        operator: Any = get_operator(name)
        if name in EQUIVALENT_OPERATORS or operator.arguments():
            continue
        places = (
            place for node in ast_nodes(tree) for place in operator().mutation_positions(node)
        )
        found += [Mutant(name, number, start) for number, (start, _) in enumerate(places)]
    kept = (m for m in found if not any(start <= m.position < end for start, end in skipped))
    return sorted(kept, key=lambda mutant: mutant.position)


def unmeasured_spans(source: str) -> list[tuple[Position, Position]]:
    """Returns the spans that no mutant changes: annotations, assertions, messages, log lines."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        for part in unmeasured_parts(node):
            end = (part.end_lineno or part.lineno, part.end_col_offset or 0)
            spans.append(((part.lineno, part.col_offset), end))
    return spans


def unmeasured_parts(node: ast.AST) -> list[ast.expr | ast.stmt]:
    """Returns the parts of one node that no mutant changes."""
    match node:
        case ast.Assert() | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="_log")))):
            return [node]
        case ast.Raise(exc=ast.expr() as error):
            return [error]
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return [node]
        case ast.AnnAssign(annotation=annotation):
            return [annotation]
        case ast.arg(annotation=ast.expr() as annotation):
            return [annotation]
        case ast.FunctionDef(returns=ast.expr() as annotation):
            return [annotation]
        case ast.AsyncFunctionDef(returns=ast.expr() as annotation):
            return [annotation]
    return []


def sample(found: Sequence[Mutant], places: int | None, seed: int) -> list[Mutant]:
    """Draws one mutant at each of some places; without a number of places, returns all mutants."""
    if places is None:
        return list(found)
    at: dict[Position, list[Mutant]] = defaultdict(list)
    for mutant in found:
        at[mutant.position].append(mutant)
    rng = random.Random(seed)
    drawn = rng.sample(sorted(at), min(places, len(at)))
    return [rng.choice(at[position]) for position in sorted(drawn)]


def show_progress(file: Path, done: int, of: int, survived: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{file}: {done} of {of}, {survived} survived", end="", file=sys.stderr, flush=True)
        if done == of:
            print(file=sys.stderr)


def table(results: Sequence[Strength]) -> str:
    """Returns the results as a table, with the surviving changes below it."""
    width = max(len("file"), *(len(result.file) for result in results))
    lines = [f"{'file':{width}} mutants killed survived time-outs not-run  share"]
    for result in results:
        share = f"{result.killed / result.ran:6.1%}" if result.ran else "  none"
        lines.append(
            f"{result.file:{width}} {result.ran:7} {result.killed:6} {len(result.survivors):8}"
            f" {result.timeouts:9} {result.left:7} {share}{'' if result.enough else '  too few'}"
        )
    return "\n".join([*lines, *(diff for result in results for diff in result.survivors)])


if __name__ == "__main__":
    sys.exit(main())

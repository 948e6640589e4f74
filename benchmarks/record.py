"""Figures of a benchmark: one table for people, one JSON file for docs/measurements.

Every script that measures speed writes its figures here. docs/explanation/performance.md shows the
files of docs/measurements; `make performance` writes its tables.

Example: released loops take 12 ms and our function 0.5 ms, so ours is 12 / 0.5 = 24 times as fast.
For a figure in units per second, such as frames/s, the ratio is the other way round.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEASUREMENTS = ROOT / "docs" / "measurements"
LIBRARIES = ("numpy", "onnxruntime", "torch")
INSTRUCTIONS = {"avx512f": "AVX-512", "avx512_vnni": "VNNI", "avx512_bf16": "bf16",
                "amx_tile": "AMX"}  # fmt: skip
"""Instructions of a CPU that decide how fast a network is, by their names in /proc/cpuinfo."""


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one form of one case."""

    case: str
    """Work and its size, such as `750 snippets, 20 classes`."""
    form: str
    """Way in which the work is done; alternatives are forms, too."""
    figures: Mapping[str, float]
    """Values by name with unit; forms are compared by the first one."""


@dataclass(slots=True)
class Record:
    """Figures of one run of a benchmark, with what is needed to repeat the run."""

    title: str
    """Subject of the benchmark."""
    against: Sequence[str]
    """Forms with which the other forms of a case are compared."""
    rows: list[Row] = field(default_factory=list)
    """Figures, in the order of the table."""
    command: str = field(default_factory=lambda: own_command(sys.argv))
    """Command that measured."""
    date: str = field(default_factory=lambda: date.today().isoformat())
    """Day of the run."""
    commit: str = field(default_factory=lambda: own_commit())
    """Commit of the code, with `-dirty` for uncommitted changes."""
    machine: str = field(default_factory=lambda: own_machine())
    """Cores, processor and libraries."""
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))
    """Mean number of processes that wanted a core in the minute before the run."""

    def add(self, case: str, form: str, figures: Mapping[str, float]) -> None:
        """Adds one row, and reports it at once, because a run may take minutes or be ended."""
        rounded = {name: float(f"{value:.4g}") for name, value in figures.items()}
        self.rows.append(Row(case, form, rounded))
        print(f"{case}, {form}: {rounded}", file=sys.stderr, flush=True)

    def finish(self, path: Path | None) -> None:
        """Prints the table, and writes the record as JSON if there is a path."""
        print("\n".join(self.table()))
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def ratio(self, row: Row, alternative: str) -> float | None:
        """Returns how many times as fast as an alternative a row is; None without a comparison."""
        name, value = next(iter(row.figures.items()))
        for other in self.rows:
            if (other.case, other.form) == (row.case, alternative) and other.form != row.form:
                rate = value / other.figures[name]
                return rate if name.endswith("/s") else 1 / rate
        return None

    def table(self) -> Iterator[str]:
        """Yields the lines of the table, aligned in columns."""
        names = list(dict.fromkeys(name for row in self.rows for name in row.figures))
        head = ["case", "form", *names, *(f"x {alternative}" for alternative in self.against)]
        cells = [head, *(self._cells(row, names) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for line in cells:
            texts = [text.ljust(width) for text, width in zip(line[:2], widths, strict=False)]
            numbers = [text.rjust(w) for text, w in zip(line[2:], widths[2:], strict=True)]
            yield "  ".join([*texts, *numbers]).rstrip()

    def _cells(self, row: Row, names: Sequence[str]) -> list[str]:
        figures = [_number(row.figures.get(name)) for name in names]
        ratios = [self.ratio(row, alternative) for alternative in self.against]
        return [row.case, row.form, *figures, *map(_number, ratios)]


def add_json_option(parser: ArgumentParser) -> None:
    """Adds the option `--json` to the command line of a benchmark."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")


def read(path: Path) -> Record:
    """Returns the record of a file."""
    values = json.loads(path.read_text())
    values["rows"] = [Row(**row) for row in values["rows"]]
    return Record(**values)


def measured(name: str) -> str:
    """Returns a file of docs/measurements as Markdown: its origin, then its table."""
    record = read(MEASUREMENTS / f"{name}.json")
    return (
        f"`{record.command}`, {record.date}, commit {record.commit}, {record.machine}, "
        f"load {record.load:g} before the run:\n\n"
        "```text\n" + "\n".join(record.table()) + "\n```\n"
    )


def own_command(arguments: Sequence[str]) -> str:
    """Returns the command line of this process without the option `--json`."""
    words = [os.path.relpath(arguments[0], ROOT), *arguments[1:]]
    if "--json" in words:
        at = words.index("--json")
        del words[at : at + 2]
    return shlex.join(["python", *words]).replace("/__main__.py", "")


def own_commit() -> str:
    """Returns the commit of this tree, `unknown` outside a repository."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def own_machine() -> str:
    """Returns the cores, the processor and the libraries of this machine."""
    facts: dict[str, str] = {}
    cpu = Path("/proc/cpuinfo")
    for line in cpu.read_text().splitlines() if cpu.exists() else ():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    flags = facts.get("flags", "").split()
    instructions = "".join(f", {name}" for flag, name in INSTRUCTIONS.items() if flag in flags)
    model = facts.get("model name", platform.machine())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    libraries = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    return f"{cores} cores of {model}{instructions}, {libraries}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _number(value: float | None) -> str:
    """Returns three digits, or all digits before the point; `-` without a value."""
    if value is None:
        return "-"
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{decimals}f}"

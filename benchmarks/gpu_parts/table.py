"""Results of a run, as a table for people and as JSON for programs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from gpu_parts.bench import Entry

_NAME_WIDTH = 54


Status: TypeAlias = Literal["passed", "failed", "cut short", "not run"]


@dataclass(frozen=True, slots=True)
class PartResult:
    """One part of a run."""

    name: str
    """Name of the part."""
    status: Status
    """`cut short` and `not run`: the deadline of the whole run came first."""
    seconds: float = 0.0
    """Duration of the part."""
    entries: tuple[Entry, ...] = ()
    """Checks and measurements, in order."""

    @property
    def failed(self) -> bool:
        """Whether the exit status has to be 1; a part that is cut short may have failed before."""
        return self.status == "failed" or any(one.status == "failed" for one in self.entries)


def table(results: Sequence[PartResult]) -> str:
    """Returns the table of a run; tracebacks come first."""
    return "\n".join([*_tracebacks(results), *_lines(results)])


def write_json(results: Sequence[PartResult], path: Path) -> None:
    """Writes the results of a run."""
    path.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def _tracebacks(results: Sequence[PartResult]) -> Iterator[str]:
    for result in results:
        for entry in result.entries:
            if "Traceback" in entry.text:
                yield f"{result.name}: {entry.name}\n{entry.text}"


def _lines(results: Sequence[PartResult]) -> Iterator[str]:
    for result in results:
        yield ""
        yield f"{result.name}: {result.status}, {result.seconds:.0f} s"
        for entry in result.entries:
            yield f"  {_line(entry)}".rstrip()


def _line(entry: Entry) -> str:
    mark = {"passed": "ok", "failed": "FAILED"}.get(entry.status, "")
    number = "" if entry.value is None else f"{_number(entry.value)} {entry.unit}"
    return f"{mark:6} {entry.name:{_NAME_WIDTH}} {number:>18}  {_text(entry)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _text(entry: Entry) -> str:
    """Returns what stands behind the number; of a behaviour that was as expected, nothing."""
    if entry.status == "passed" and entry.value is None:
        return ""
    return "see the traceback" if "Traceback" in entry.text else entry.text

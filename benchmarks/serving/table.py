"""Figures of all rounds, and their tables."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from load import Window

MEMORY_CLIENTS: Final = 16
"""Number of clients at which memory is reported, in addition to the peak."""
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Cell:
    """One server under one load."""

    body: str
    """Kind of body: `binary` or `json`."""
    clients: int
    """Number of concurrent clients."""
    server: str
    """Name of the server."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one cell in one round."""

    window: Window
    """Measurement of the requests."""
    ceiling: float
    """Runs per second of the bare network just before, in its faster form."""
    memory_bytes: int
    """Median memory of the server in the window."""
    peak_bytes: int
    """Largest memory of the server in the window."""

    @property
    def share(self) -> float:
        """Requests per second, divided by the ceiling."""
        return self.window.rate / self.ceiling


@dataclass(slots=True)
class Results:
    """Results of all rounds."""

    ceilings: dict[str, list[float]] = field(default_factory=dict)
    """Runs per second of each form of the bare network, one value before each server."""
    rounds: dict[Cell, list[Figures]] = field(default_factory=dict)
    """Figures of each cell, one item for each round."""
    forms: dict[str, dict[str, float]] = field(default_factory=dict)
    """Requests per second of each tried form of each peer."""
    absent: dict[str, str] = field(default_factory=dict)
    """Servers that could not be measured, with the reason."""

    def add(self, cell: Cell, figures: Figures) -> None:
        """Adds the figures of one round."""
        self.rounds.setdefault(cell, []).append(figures)

    def rows(self) -> list[dict[str, object]]:
        """Returns one row for each cell, with medians over its rounds."""
        return [_row(cell, rounds) for cell, rounds in self.rounds.items()]

    def memory(self) -> list[dict[str, object]]:
        """Returns one row for each server: memory at `MEMORY_CLIENTS` clients, and peak memory."""
        servers = dict.fromkeys(cell.server for cell in self.rounds)
        return [{"server": server, **self._memory_of(server)} for server in servers]

    def _memory_of(self, server: str) -> dict[str, object]:
        cells = {cell: rounds for cell, rounds in self.rounds.items() if cell.server == server}
        memory: dict[str, object] = {
            f"{cell.body}_mib": statistics.median(f.memory_bytes for f in rounds) / _MIB
            for cell, rounds in cells.items()
            if cell.clients == MEMORY_CLIENTS
        }
        peak = max(figures.peak_bytes for rounds in cells.values() for figures in rounds)
        return memory | {"peak_mib": peak / _MIB}

    def to_json(self) -> dict[str, object]:
        """Returns all results as JSON data."""
        return {
            "ceilings_per_s": self.ceilings,
            "forms_per_s": self.forms,
            "absent": self.absent,
            "rows": self.rows(),
            "memory": self.memory(),
        }

    def lines(self) -> Iterable[str]:
        """Returns the lines of all tables."""
        for name, rates in self.ceilings.items():
            yield f"bare network, {name}: {statistics.median(rates):.1f} runs/s"
        yield ""
        yield (
            f"{'body':6} {'clients':>7}  {'server':10} {'requests/s':>10} {'of ceiling':>10} "
            f"{'p50 ms':>8} {'p99 ms':>8} {'refused':>8} {'failed':>7} {'clients ms':>10}"
        )
        for row in sorted(self.rows(), key=_place):
            yield _line(row)
        yield ""
        yield f"{'memory, MiB':18} {'binary':>8} {'json':>8} {'peak':>8}"
        for row in self.memory():
            cells = (
                _number(row.get(name), ".0f") for name in ("binary_mib", "json_mib", "peak_mib")
            )
            yield f"{row['server']!s:18} " + " ".join(f"{cell:>8}" for cell in cells)


def _row(cell: Cell, rounds: list[Figures]) -> dict[str, object]:
    windows = [figures.window for figures in rounds]
    return {
        "body": cell.body,
        "clients": cell.clients,
        "server": cell.server,
        "rounds": len(rounds),
        "requests_per_s": statistics.median(window.rate for window in windows),
        "share_of_ceiling": statistics.median(figures.share for figures in rounds),
        "p50_ms": _median(window.percentile_ms(50) for window in windows),
        "p99_ms": _median(window.percentile_ms(99) for window in windows),
        "refused_per_s": statistics.median(window.refused / window.seconds for window in windows),
        "failed": sum(window.failed for window in windows),
        "load_cpu_ms_per_request": _median(
            1e3 * window.load_cpu_s / window.done if window.done else None for window in windows
        ),
    }


def _median(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return statistics.median(numbers) if numbers else None


def _place(row: dict[str, object]) -> tuple[str, int]:
    return str(row["body"]), int(str(row["clients"]))


def _line(row: dict[str, object]) -> str:
    numbers = (
        (row["requests_per_s"], ".1f", 10),
        (row["share_of_ceiling"], ".0%", 10),
        (row["p50_ms"], ".0f", 8),
        (row["p99_ms"], ".0f", 8),
        (row["refused_per_s"], ".1f", 8),
        (row["failed"], "d", 7),
        (row["load_cpu_ms_per_request"], ".1f", 10),
    )
    cells = (f"{_number(value, form):>{width}}" for value, form, width in numbers)
    return f"{row['body']:6} {row['clients']:>7}  {row['server']!s:10} " + " ".join(cells)


def _number(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)

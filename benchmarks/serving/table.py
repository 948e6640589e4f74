"""Figures of all rounds, and their record."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from load import Window
from record import Record

BARE: Final = "bare network"
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

    def add(self, cell: Cell, figures: Figures) -> None:
        """Adds the figures of one round."""
        self.rounds.setdefault(cell, []).append(figures)

    def record(self, precision: str) -> Record:
        """Returns medians over the rounds, each cell beside the bare network and the peers."""
        peers = dict.fromkeys(cell.server for cell in self.rounds if cell.server != "service")
        record = Record(f"The service and its peers, {precision}", [BARE, *peers])
        ceiling = max(statistics.median(rates) for rates in self.ceilings.values())
        loads = sorted({(cell.body, cell.clients) for cell in self.rounds})
        for body, clients in loads:
            case = f"{body}, {clients} clients"
            record.add(case, BARE, {"requests/s": ceiling})
            for cell, rounds in self.rounds.items():
                if (cell.body, cell.clients) == (body, clients):
                    record.add(case, cell.server, _medians(rounds))
        return record


def _medians(rounds: list[Figures]) -> dict[str, float]:
    """Returns the figures of one cell; latencies are absent where no request succeeded."""
    windows = [figures.window for figures in rounds]
    figures = {
        "requests/s": statistics.median(window.rate for window in windows),
        "% of ceiling": 100 * statistics.median(figures.share for figures in rounds),
        "p50 ms": _median(window.percentile_ms(50) for window in windows),
        "p99 ms": _median(window.percentile_ms(99) for window in windows),
        "refused/s": statistics.median(window.refused / window.seconds for window in windows),
        "failed": float(sum(window.failed for window in windows)),
        "clients ms": _median(
            1e3 * window.load_cpu_s / window.done if window.done else None for window in windows
        ),
        "MiB": statistics.median(figures.memory_bytes for figures in rounds) / _MIB,
        "peak MiB": max(figures.peak_bytes for figures in rounds) / _MIB,
    }
    return {name: value for name, value in figures.items() if value is not None}


def _median(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return statistics.median(numbers) if numbers else None

"""The entries that a part reports, and the bench that it reports them to."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from gpu_parts.sizes import Sizes

Device: TypeAlias = Literal["cpu", "cuda"]
Status: TypeAlias = Literal["passed", "failed", "figure", "note"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table."""

    name: str
    """The quantity or the behaviour."""
    status: Status
    """Result of a check; `figure` and `note` require nothing."""
    value: float | None = None
    """The measured number."""
    unit: str = ""
    """Unit of the number."""
    text: str = ""
    """The bound of a check, an explanation, or a traceback."""


class Bench:
    """Runs the steps of one part and sends on every entry as soon as it is known."""

    def __init__(
        self,
        device: Device,
        sizes: Sizes,
        scratch: Path,
        send: Callable[[Entry], None],
        deadline_s: float,
    ) -> None:
        """Prepares a part.

        Args:
            device: where networks run.
            sizes: of all that is run.
            scratch: folder for files that all parts of this run share.
            send: receives each entry.
            deadline_s: monotonic time at which the part is ended.
        """
        self.device: Device = device
        self.sizes = sizes
        self.scratch = scratch
        self._send = send
        self._deadline_s = deadline_s

    @property
    def left_s(self) -> float:
        """Seconds until the part is ended."""
        return self._deadline_s - time.monotonic()

    def step(self, name: str, work: Callable[..., None], *arguments: object) -> None:
        """Runs `work(bench, *arguments)`; where it raises, the traceback is reported."""
        try:
            work(self, *arguments)
        except Exception:
            self._send(Entry(name, "failed", text=traceback.format_exc()))

    def steps(self, *steps: Callable[["Bench"], None]) -> None:
        """Runs steps in order, each under its own name."""
        for step in steps:
            self.step(step.__name__.replace("_", " "), step)

    def figure(self, name: str, value: float, unit: str) -> None:
        """Reports a measurement."""
        self._send(Entry(name, "figure", float(value), unit))

    def note(self, name: str, text: str) -> None:
        """Reports something in words."""
        self._send(Entry(name, "note", text=text))

    def at_most(self, name: str, value: float, bound: float, unit: str = "") -> None:
        """Checks that a number is no larger than a bound; NaN fails."""
        status: Status = "passed" if value <= bound else "failed"
        self._send(Entry(name, status, float(value), unit, f"at most {bound:.3g}"))

    def at_least(self, name: str, value: float, bound: float, unit: str = "") -> None:
        """Checks that a number is no smaller than a bound; NaN fails."""
        status: Status = "passed" if value >= bound else "failed"
        self._send(Entry(name, status, float(value), unit, f"at least {bound:.3g}"))

    def equal(self, name: str, value: float, wanted: float, unit: str = "") -> None:
        """Checks that a number is the wanted one."""
        status: Status = "passed" if value == wanted else "failed"
        self._send(Entry(name, status, float(value), unit, f"must be {wanted:g}"))

    def expect(self, name: str, is_so: bool, found: str = "") -> None:
        """Checks a behaviour; `found` describes what was seen."""
        self._send(Entry(name, "passed" if is_so else "failed", text=found))

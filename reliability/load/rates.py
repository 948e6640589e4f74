"""Requests at fixed rates from generator processes, and their results."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from reliability.load.generator import Account, Order, Sending
from reliability.server import ServerDiedError, Target

MOST_BYTES = 4 * 2**30
"""Memory limit of the server; above it the run is aborted."""
_GENERATORS = 2
_SLACK_S = 3.0
"""Time for the generators to start before the first request."""


@dataclass(frozen=True, slots=True)
class Step:
    """A fixed rate for some time."""

    name: str
    """Name of the step."""
    seconds: float
    """Duration of the step."""
    rate: float
    """Requests per second."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Results of one kind of load."""

    name: str
    """Name of the load."""
    seconds: float
    """Duration of the load."""
    account: Account
    """Results of the requests."""

    def latencies_s(self, sending: Sending | None = None, status: int = 200) -> list[float]:
        """Returns the sorted latencies of the responses with a status."""
        account = self.account
        rows = zip(account.latency_s, account.status, account.sending, strict=True)
        return sorted(s for s, code, how in rows if code == status and sending in (None, how))

    def goodput(self, sending: Sending | None = None) -> float:
        """Returns the requests per second that were completed within the duration."""
        account = self.account
        rows = zip(account.at_s, account.latency_s, account.status, account.sending, strict=True)
        done = sum(
            status == 200 and at_s + latency_s <= self.seconds and sending in (None, how)
            for at_s, latency_s, status, how in rows
        )
        return done / self.seconds

    def percentile_s(
        self, share: float, sending: Sending | None = None, status: int = 200
    ) -> float:
        """Returns a percentile of `latencies_s`; NaN if there are none."""
        latencies_s = self.latencies_s(sending, status)
        return latencies_s[int(share * (len(latencies_s) - 1))] if latencies_s else float("nan")


class Bench:
    """A server under load, whose memory is watched."""

    def __init__(self, target: Target, bodies: Path, patience_s: float, most_open: int) -> None:
        self.target = target
        self._bodies = bodies
        self._patience_s = patience_s
        self._most_open = most_open
        self.peak_bytes = 0

    def clients(self, name: str, seconds: float, clients: int) -> Phase:
        """Runs clients that each send one request after the other."""
        order = self._order(time.monotonic() + _SLACK_S, seconds, clients=clients)
        return Phase(name, seconds, self._run([order])[0])

    def in_a_row(self, steps: Sequence[Step], sendings: tuple[Sending, ...]) -> list[Phase]:
        """Runs one fixed rate after the other."""
        begin_s, orders = time.monotonic() + _SLACK_S, []
        for step in steps:
            for number in range(_GENERATORS):
                rate = step.rate / _GENERATORS
                orders.append(
                    self._order(begin_s + number / step.rate, step.seconds, rate=rate,
                                number=number, sendings=sendings)
                )  # fmt: skip
            begin_s += step.seconds
        accounts = self._run(orders)
        return [
            Phase(step.name, step.seconds, _together(accounts[place : place + _GENERATORS]))
            for step, place in zip(steps, count(0, _GENERATORS), strict=False)
        ]

    def _order(
        self,
        begin_s: float,
        seconds: float,
        *,
        rate: float | None = None,
        clients: int = 0,
        number: int = 0,
        sendings: tuple[Sending, ...] = ("at-once",),
    ) -> Order:
        return Order(
            self.target.port,
            str(self._bodies),
            begin_s,
            seconds,
            rate,
            clients,
            sendings,
            self._patience_s,
            self._most_open // _GENERATORS,
            seed=number,
        )

    def _run(self, orders: Sequence[Order]) -> list[Account]:
        command = [sys.executable, "-m", "reliability.load.generator"]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in orders
        ]
        outputs: list[bytes] = [b""] * len(orders)

        def read(place: int) -> None:
            outputs[place], _ = processes[place].communicate(
                json.dumps(asdict(orders[place])).encode()
            )

        readers = [threading.Thread(target=read, args=(place,)) for place in range(len(orders))]
        for reader in readers:
            reader.start()
        try:
            while any(reader.is_alive() for reader in readers):
                self._watch()
                time.sleep(0.1)
        finally:
            for process in processes:
                process.kill()
        return [Account(**json.loads(output)) for output in outputs]

    def _watch(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self.target.state().rss_bytes)
        if self.peak_bytes > MOST_BYTES:
            raise ServerDiedError(
                f"the server took {self.peak_bytes / 2**30:.1f} GiB; the run is aborted"
            )


def _together(accounts: Sequence[Account]) -> Account:
    whole = Account()
    for one in accounts:
        whole.at_s += one.at_s
        whole.latency_s += one.latency_s
        whole.status += one.status
        whole.sending += one.sending
        whole.has_retry_after += one.has_retry_after
        whole.late_s = max(whole.late_s, one.late_s)
        whole.cpu_s += one.cpu_s
    return whole

"""Clients that are slow, rude or gone: what each does, and what the server owes the others.

    python -m reliability.connections                 (heavy, ten minutes)
    python -m reliability.connections --minutes 1

Each scenario plays some clients. Meanwhile a witness asks like any other and has to get right
answers in time; afterwards the server's process has to hold no more files, threads and memory than
before.
"""

import argparse
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from reliability import breaking_clients, holding_clients
from reliability.asking import (
    CHANNELS,
    LIMIT_S,
    LONG_TD,
    MODEL,
    SHORT_TD,
    BreachError,
    Scenario,
    ask,
    found_in,
    localize,
)
from reliability.holding_clients import LEFT_BYTES
from reliability.server import ProcessState, Target, server, wait_until
from reliability.wire import Connection

SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        holding_clients.slow_heads,
        holding_clients.slow_bodies,
        breaking_clients.half_closed,
        breaking_clients.resets,
        breaking_clients.pipelined,
        breaking_clients.split_anywhere,
        holding_clients.idle,
        holding_clients.unread,
        holding_clients.unread_pipeline,
        holding_clients.announced_bodies,
        breaking_clients.upgrades,
        breaking_clients.garbage_after,
    )
}
"""Those that take any time that is given to them, by name."""
HEAVY_SCENARIOS = SCENARIOS | {"never_ended": holding_clients.never_ended}
"""Those that take minutes, too."""
FLAGS: dict[str, object] = {"max_snippets": 20_000, "jobs": 0}
"""Of the server."""
_HEAVY_CLIENTS = {"idle": 500, "slow_heads": 300, "slow_bodies": 300, "unread": 100,
                  "unread_pipeline": 20, "split_anywhere": 100, "never_ended": 30,
                  "announced_bodies": 20}  # fmt: skip
_AS_MANY_AS_GO = 100_000
_SETTLE_S = 75.0
"""What nobody needs any more is given back within a minute."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen while a scenario was played."""

    before: ProcessState
    """The server's process before it."""
    peak_bytes: int
    """Its largest resident memory meanwhile."""
    after: ProcessState
    """What it was afterwards."""
    answers: int
    """Right ones that the witness got."""
    refusals: int
    """How often it was told that the service is busy."""
    slowest_s: float
    """The longest that it waited for one."""


def play(target: Target, scenario: Scenario, *, clients: int, duration_s: float) -> Seen:
    """Plays a scenario and returns what was seen.

    Raises:
        BreachError: the witness, or what is left over, shows that the server suffered.
        ServerDiedError: it died.
    """
    before = _warm(target)
    witness = _Witness(target)
    witness.start()
    try:
        scenario(target, clients, duration_s)
    finally:
        witness.stop()
    is_clean = wait_until(lambda: _holds_no_more(target, before), timeout_s=_SETTLE_S)
    after = target.state()
    if not is_clean:
        raise BreachError(f"left over: {after}, before it was {before}")
    if witness.breach or witness.answers <= witness.refusals:
        told = f"{witness.answers} answers, {witness.refusals} times busy {witness.breach}"
        raise BreachError(f"the witness got {told}")
    return Seen(
        before, witness.peak_bytes, after, witness.answers, witness.refusals, witness.slowest_s
    )


def _holds_no_more(target: Target, before: ProcessState) -> bool:
    now = target.state()
    if now.threads > before.threads:  # threads that are idle for long end with the next request
        ask(target, localize(SHORT_TD))
    return (
        now.files <= before.files
        and now.threads <= before.threads
        and now.rss_bytes <= before.rss_bytes + LEFT_BYTES
    )


def _warm(target: Target) -> ProcessState:
    """Returns the process after every thread that it keeps was needed once."""
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(target.port)) for _ in range(8)]
        for _ in range(5):
            for connection in connections:
                connection.send(localize(LONG_TD).encode())
            for connection in connections:
                connection.answer()
    files = target.state().files
    wait_until(lambda: target.state().files < files, timeout_s=1)
    return target.state()


class _Witness(threading.Thread):
    """A client like any other, over one connection as long as that lasts."""

    def __init__(self, target: Target) -> None:
        super().__init__(name="witness")
        self._target = target
        self._stopped = threading.Event()
        self._asked = localize(SHORT_TD)
        self._expected = found_in(ask(target, self._asked))
        self.answers = 0
        self.refusals = 0
        self.slowest_s = 0.0
        self.peak_bytes = 0
        self.breach = ""

    def run(self) -> None:
        """Asks until it is stopped, or something was wrong."""
        try:
            while not self._stopped.is_set():
                self._ask_some()
        except (OSError, HTTPException, ValueError) as error:
            self.breach = f"{error!r} after {self.answers} answers"

    def _ask_some(self) -> None:
        with Connection(self._target.port, timeout_s=LIMIT_S) as connection:
            for _ in range(50):
                started_s = time.monotonic()
                answer = connection.ask(self._asked)
                self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)
                self.peak_bytes = max(self.peak_bytes, self._target.state().rss_bytes)
                if answer.status == 503 and "retry-after" in answer.headers:
                    self.refusals += 1
                elif found_in(answer) != self._expected:
                    raise ValueError(f"status {answer.status}: {answer.body[:200]!r}")
                else:
                    self.answers += 1
                if self._stopped.wait(0.01) or answer.ends_connection:
                    return

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        self.join()


def main() -> int:
    """Plays every scenario heavily and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="for all of them together")
    parser.add_argument("--only", choices=HEAVY_SCENARIOS, help="this one alone")
    given = parser.parse_args()
    from reliability.random_model import publish_random  # torch takes seconds to import

    chosen = [given.only] if given.only else list(HEAVY_SCENARIOS)
    duration_s, failed = 60 * given.minutes / len(chosen), 0
    print(f"{'scenario':16} {'clients':>7} {'answers':>8} {'busy':>6} {'slowest s':>9} "
          f"{'MiB before':>10} {'peak':>6} {'after':>6}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_random(folder / "models", MODEL, feature_dim=CHANNELS)
        with server(folder / "models", folder, **FLAGS) as target:
            for scenario in chosen:
                failed += not _print(target, scenario, duration_s)
    return 1 if failed else 0


def _print(target: Target, name: str, duration_s: float) -> bool:
    """Plays a scenario, prints what was seen, and returns whether it went well."""
    clients = _HEAVY_CLIENTS.get(name, _AS_MANY_AS_GO)
    try:
        seen = play(target, HEAVY_SCENARIOS[name], clients=clients, duration_s=duration_s)
    except (BreachError, OSError, HTTPException) as error:
        print(f"{name:16} {clients:7} BREACH {error!r}", flush=True)
        return False
    sizes = [size / 2**20 for size in (seen.before.rss_bytes, seen.peak_bytes,
                                       seen.after.rss_bytes)]  # fmt: skip
    print(f"{name:16} {clients:7} {seen.answers:8} {seen.refusals:6} {seen.slowest_s:9.2f} "
          f"{sizes[0]:10.0f} {sizes[1]:6.0f} {sizes[2]:6.0f}", flush=True)  # fmt: skip
    return True


if __name__ == "__main__":
    sys.exit(main())

"""Plays slow, rude and vanished clients, and checks that the other clients are served.

    python -m reliability.connections                 (heavy, ten minutes)
    python -m reliability.connections --minutes 1

During each scenario, a well-behaved witness must get correct responses in time. Afterwards the
server's process must hold no more files, threads and memory than before.
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

from reliability.clients import breaking, holding
from reliability.clients.holding import LEFT_BYTES
from reliability.clients.scenario import (
    CHANNELS,
    LIMIT_S,
    LONG_TD,
    MODEL,
    SHORT_TD,
    BreachError,
    Scenario,
    content_of,
    localize,
    send,
)
from reliability.messages.wire import Connection
from reliability.server import ProcessState, Target, server, wait_until

SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        holding.slow_heads,
        holding.slow_bodies,
        breaking.half_closed,
        breaking.resets,
        breaking.pipelined,
        breaking.split_anywhere,
        holding.idle,
        holding.unread,
        holding.unread_pipeline,
        holding.announced_bodies,
        holding.forms_at_once,
        breaking.upgrades,
        breaking.garbage_after,
    )
}
"""Scenarios of any duration, by name."""
HEAVY_SCENARIOS = SCENARIOS | {"never_ended": holding.never_ended}
"""All scenarios, including those that take minutes."""
FLAGS: dict[str, object] = {"max_snippets": 20_000, "jobs": 0}
"""Settings of the server."""
_HEAVY_CLIENTS = {"idle": 500, "slow_heads": 300, "slow_bodies": 300, "unread": 100,
                  "unread_pipeline": 20, "split_anywhere": 100, "never_ended": 30,
                  "announced_bodies": 20, "forms_at_once": 500}  # fmt: skip
_MANY_CLIENTS = 100_000
_SETTLE_S = 75.0
"""Time for the server to release memory and files, which takes it up to a minute."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Observations during one scenario."""

    before: ProcessState
    """State of the server's process before the scenario."""
    peak_bytes: int
    """Largest resident memory of the process during the scenario."""
    after: ProcessState
    """State of the process after the scenario."""
    responses: int
    """Correct responses to the witness."""
    refusals: int
    """Number of times that the witness was refused because the service was busy."""
    slowest_s: float
    """Longest time to a response to the witness."""


def play(target: Target, scenario: Scenario, *, clients: int, duration_s: float) -> Observations:
    """Plays a scenario and returns the observations.

    Raises:
        BreachError: the witness was not served well, or the server released too little.
        ServerDiedError: the server died.
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
        raise BreachError(f"the server holds {after}, before the scenario it held {before}")
    if witness.breach or witness.responses <= witness.refusals:
        counts = f"{witness.responses} responses and {witness.refusals} refusals"
        raise BreachError(f"the witness got {counts}; {witness.breach}")
    return Observations(
        before, witness.peak_bytes, after, witness.responses, witness.refusals, witness.slowest_s
    )


def _holds_no_more(target: Target, before: ProcessState) -> bool:
    now = target.state()
    if now.threads > before.threads:  # idle threads end at the next request
        send(target, localize(SHORT_TD))
    return (
        now.files <= before.files
        and now.threads <= before.threads
        and now.rss_bytes <= before.rss_bytes + LEFT_BYTES
    )


def _warm(target: Target) -> ProcessState:
    """Returns the state of the process after all its permanent threads have started."""
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(target.port)) for _ in range(8)]
        for _ in range(5):
            for connection in connections:
                connection.send(localize(LONG_TD).encode())
            for connection in connections:
                connection.response()
    files = target.state().files
    wait_until(lambda: target.state().files < files, timeout_s=1)
    return target.state()


class _Witness(threading.Thread):
    """A well-behaved client that reuses its connection."""

    def __init__(self, target: Target) -> None:
        super().__init__(name="witness")
        self._target = target
        self._stopped = threading.Event()
        self._requests = localize(SHORT_TD)
        self._expected = content_of(send(target, self._requests))
        self.responses = 0
        self.refusals = 0
        self.slowest_s = 0.0
        self.peak_bytes = 0
        self.breach = ""

    def run(self) -> None:
        """Sends requests until it is stopped or a response is wrong."""
        try:
            while not self._stopped.is_set():
                self._send_some()
        except (OSError, HTTPException, ValueError) as error:
            self.breach = f"{error!r} after {self.responses} responses"

    def _send_some(self) -> None:
        with Connection(self._target.port, timeout_s=LIMIT_S) as connection:
            for _ in range(50):
                started_s = time.monotonic()
                response = connection.exchange(self._requests)
                self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)
                self.peak_bytes = max(self.peak_bytes, self._target.state().rss_bytes)
                if response.status == 503 and "retry-after" in response.headers:
                    self.refusals += 1
                elif content_of(response) != self._expected:
                    raise ValueError(f"status {response.status}: {response.body[:200]!r}")
                else:
                    self.responses += 1
                if self._stopped.wait(0.01) or response.ends_connection:
                    return

    def stop(self) -> None:
        """Stops the witness and waits for its end."""
        self._stopped.set()
        self.join()


def main() -> int:
    """Plays every scenario with many clients and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=10, help="duration of all scenarios together (default: 10)"
    )
    parser.add_argument("--only", choices=HEAVY_SCENARIOS, help="play this scenario only")
    arguments = parser.parse_args()
    from reliability.random_model import publish_random  # torch takes seconds to import

    chosen = [arguments.only] if arguments.only else list(HEAVY_SCENARIOS)
    duration_s, failed = 60 * arguments.minutes / len(chosen), 0
    print(f"{'scenario':16} {'clients':>7} {'responses':>9} {'busy':>6} {'slowest s':>9} "
          f"{'MiB before':>10} {'peak':>6} {'after':>6}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_random(folder / "models", MODEL, feature_dim=CHANNELS)
        with server(folder / "models", folder, **FLAGS) as target:
            for scenario in chosen:
                failed += not _print(target, scenario, duration_s)
    return 1 if failed else 0


def _print(target: Target, name: str, duration_s: float) -> bool:
    """Plays a scenario, prints its observations, and returns whether the server passed."""
    clients = _HEAVY_CLIENTS.get(name, _MANY_CLIENTS)
    try:
        result = play(target, HEAVY_SCENARIOS[name], clients=clients, duration_s=duration_s)
    except (BreachError, OSError, HTTPException) as error:
        print(f"{name:16} {clients:7} BREACH {error!r}", flush=True)
        return False
    sizes = [size / 2**20 for size in (result.before.rss_bytes, result.peak_bytes,
                                       result.after.rss_bytes)]  # fmt: skip
    print(f"{name:16} {clients:7} {result.responses:9} {result.refusals:6} {result.slowest_s:9.2f} "
          f"{sizes[0]:10.0f} {sizes[1]:6.0f} {sizes[2]:6.0f}", flush=True)  # fmt: skip
    return True


if __name__ == "__main__":
    sys.exit(main())

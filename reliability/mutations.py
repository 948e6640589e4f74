"""Sends thousands of malformed requests, and checks every response and the server's health.

    python -m reliability.mutations
    python -m reliability.mutations --requests 3000 --first 41000    (repeats some of them)

Each is a valid request (messages/valid_requests.py) with a defect (messages/mutate.py), or bytes
that are not HTTP. The server must respond in time, never with status 500, and with errors in the
documented form. Valid requests in between must get correct responses, and the process must not
grow. A request depends on the seed and its number only, so it can be repeated.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from random import Random

from reliability.messages.mutate import mutated
from reliability.messages.valid_requests import (
    features,
    get_requests,
    inference_requests,
    localize_requests,
)
from reliability.messages.verdict import fault, framing
from reliability.messages.wire import Connection, NoResponseError, Request, Response
from reliability.server import ProcessState, Target, server, wait_until

MODEL, CHANNELS, SNIPPETS = "small", 8, 20
FLAGS: dict[str, object] = {
    "max_snippets": 500,
    "max_body_bytes": 1_000_000,
    "jobs": 0,
    "wait_s": 0,
    "max_queued_jobs": 10,
}
"""Settings of the server: small limits, so that requests reach them."""
LIMIT_S = 10.0
"""Longest time to a response."""
GROWTH = 0.05
"""Largest relative growth of the process from the first fifth of the requests to the last."""
_RIGHT_EVERY = 100
_SAMPLE_S = 0.25
_CLIENTS = 4
_SETTLE_S = 30.0
_POOLED_FILES = 4
"""Connections to the job database that stay open after the load."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise of the server."""

    what: str
    """Description of the breach."""
    number: int = -1
    """Number of the request that caused the breach; -1 for none."""
    sent: bytes = b""
    """Bytes of that request."""


@dataclass(slots=True)
class Outcome:
    """Results of all requests."""

    breaches: list[Breach] = field(default_factory=list)
    """All breaches."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of requests by kind of mutation and kind of response."""
    slowest_s: dict[str, float] = field(default_factory=dict)
    """Longest time to a response, by kind of mutation."""
    right: int = 0
    """Valid requests that got the correct response."""
    states: list[ProcessState] = field(default_factory=list)
    """States of the server's process, in order."""


def valid_requests() -> dict[str, Request]:
    """Returns the valid requests that are mutated."""
    features_TD = features(SNIPPETS, CHANNELS)
    return {
        **localize_requests(features_TD),
        **inference_requests(features_TD, MODEL),
        **get_requests(MODEL),
    }


def send_mutations(
    target: Target, numbers: Sequence[int], *, seed: int = 0, max_breaches: int = 20
) -> Outcome:
    """Sends mutated requests over several connections and returns the results.

    Args:
        target: a server with `FLAGS`, whose only model takes features of `CHANNELS` channels.
        numbers: numbers of the requests.
        seed: seed of the random numbers.
        max_breaches: number of breaches after which the function returns.
    """
    outcome, before = Outcome(), _warm(target)
    left, lock = iter(numbers), threading.Lock()
    clients = [
        _Client(target, seed, left, lock, outcome, max_breaches, f"client {n}")
        for n in range(_CLIENTS)
    ]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        outcome.states.append(target.state() if target.is_alive() else before)
        time.sleep(_SAMPLE_S)
    sent = outcome.counts.total()
    if sent < len(numbers) and len(outcome.breaches) < max_breaches:
        outcome.breaches.append(Breach(f"{sent} of {len(numbers)} requests were sent"))
    if not target.is_alive():
        outcome.breaches.append(Breach("the server has died"))
    elif not wait_until(
        lambda: target.state().files <= before.files + _POOLED_FILES, timeout_s=_SETTLE_S
    ):
        files = target.open_files()
        outcome.breaches.append(
            Breach(f"{len(files)} files are open, {before.files} before the requests: {files}")
        )
    return outcome


def growth(outcome: Outcome) -> float:
    """Returns the relative growth of the process from the first fifth of the run to its end."""
    sizes = [state.rss_bytes for state in outcome.states]
    fifth = max(len(sizes) // 5, 1)
    return max(sizes[-fifth:]) / max(sizes[: fifth + 1]) - 1


def _warm(target: Target) -> ProcessState:
    """Returns the state of the server's process after every valid request has been sent once."""
    for request in valid_requests().values():
        with Connection(target.port) as connection:
            connection.exchange(request)
    return target.state()


class _Client(threading.Thread):
    """Sends one request after the other and reuses its connection."""

    def __init__(
        self,
        target: Target,
        seed: int,
        left: Iterator[int],
        lock: threading.Lock,
        outcome: Outcome,
        max_breaches: int,
        name: str,
    ) -> None:
        super().__init__(name=name)
        self._target = target
        self._seed = seed
        self._left = left
        self._lock = lock
        self._outcome = outcome
        self._max_breaches = max_breaches
        self._valid = valid_requests()
        self._right = self._valid["raw"]
        self._expected = _content(self._send_valid())
        self._connection: Connection | None = None

    def run(self) -> None:
        """Sends requests until none are left or there are too many breaches."""
        while numbers := self._next():
            for number in numbers:
                kind, data = mutated(Random(f"{self._seed}/{number}"), self._valid)
                self._send(number, kind, data)
            self._check_right(numbers[-1])
        self._drop()

    def _next(self) -> list[int]:
        with self._lock:
            stops = len(self._outcome.breaches) >= self._max_breaches
            return [] if stops else list(islice(self._left, _RIGHT_EVERY))

    def _send(self, number: int, kind: str, data: bytes) -> None:
        started_s = time.monotonic()
        try:
            how, wrong = self._exchange(data)
        except TimeoutError:
            how, wrong = "late", f"no response within {LIMIT_S} s, and the connection stayed open"
        except (HTTPException, OSError) as error:
            how, wrong = "broken", f"a response that is not HTTP: {error!r}"
        elapsed_s = time.monotonic() - started_s
        if wrong:
            self._drop()
        with self._lock:
            self._outcome.counts[kind, how] += 1
            self._outcome.slowest_s[kind] = max(self._outcome.slowest_s.get(kind, 0), elapsed_s)
            if wrong:
                self._outcome.breaches.append(Breach(f"{kind}: {wrong}", number, data))

    def _exchange(self, data: bytes) -> tuple[str, str | None]:
        """Sends bytes; returns the kind of the response and its fault, if any."""
        expected = framing(data)
        connection = self._connection or Connection(self._target.port, timeout_s=LIMIT_S)
        self._connection = connection
        try:
            connection.send(data)
            if expected.state != "whole":
                connection.finish()
        except OSError:
            pass  # the server refused the request early; the response contains the reason
        if expected.state != "whole":
            return self._rest(connection, expected.paths)
        response = None
        for path in expected.paths:
            if response and response.ends_connection:
                break
            try:
                response = connection.response()
            except NoResponseError as error:
                self._drop()
                return "no response", str(error)
            if wrong := fault(response, path):
                return f"{response.status}", wrong
        assert response
        if response.ends_connection:
            self._drop()
        return f"{response.status // 100}xx", None

    def _rest(self, connection: Connection, paths: tuple[str, ...]) -> tuple[str, str | None]:
        """Reads responses until the server closes the connection."""
        responses: list[Response] = []
        try:
            while True:
                responses.append(connection.response())
        except NoResponseError:
            self._drop()
        if len(responses) > len(paths) + 1:
            return "too many responses", f"{len(responses)} responses to {len(paths)} requests"
        for response in responses:
            if wrong := fault(response, None):
                return f"{response.status}", wrong
        return (f"{responses[-1].status // 100}xx" if responses else "ended"), None

    def _check_right(self, number: int) -> None:
        try:
            content = _content(self._send_valid())
        except (OSError, HTTPException, ValueError) as error:
            content = repr(error)
        with self._lock:
            if content == self._expected:
                self._outcome.right += 1
            else:
                self._outcome.breaches.append(Breach(f"a valid request got {content}", number))

    def _send_valid(self) -> Response:
        with Connection(self._target.port, timeout_s=LIMIT_S) as connection:
            return connection.exchange(self._right)

    def _drop(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _content(response: Response) -> object:
    """Returns the content of a response, without its timing."""
    fields = json.loads(response.body)
    return {name: fields[name] for name in fields if name != "timing_ms"}


def main() -> int:
    """Runs the program and returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000, help="number of requests")
    parser.add_argument("--first", type=int, default=0, help="number of the first request")
    parser.add_argument("--seed", type=int, default=0, help="seed of the mutations")
    parser.add_argument(
        "--breaches", type=Path, default=Path("breaches"), help="folder for breaches"
    )
    arguments = parser.parse_args()
    from reliability.random_model import publish_random  # torch takes seconds to import

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        publish_random(folder / "models", MODEL, feature_dim=CHANNELS)
        target = stack.enter_context(server(folder / "models", folder, **FLAGS))
        started_s = time.monotonic()
        numbers = range(arguments.first, arguments.first + arguments.requests)
        outcome = send_mutations(target, numbers, seed=arguments.seed)
        elapsed_s = time.monotonic() - started_s
        log = (folder / "serve.log").read_text(errors="replace")
    if "Traceback" in log:
        outcome.breaches.append(Breach(f"the log contains {log.count('Traceback')} tracebacks"))
    if growth(outcome) > GROWTH:
        outcome.breaches.append(Breach(f"the process grew by {growth(outcome):.1%}"))
    _print(outcome, elapsed_s)
    _save(outcome.breaches, arguments.breaches, log)
    return 1 if outcome.breaches else 0


def _print(outcome: Outcome, elapsed_s: float) -> None:
    columns = ["2xx", "3xx", "4xx", "5xx", "ended"]
    print(f"{'kind':24}" + "".join(f"{c:>8}" for c in [*columns, "wrong", "slowest s"]))
    for kind in sorted(outcome.slowest_s):
        row = {how: n for (k, how), n in outcome.counts.items() if k == kind}
        known = [row.pop(column, 0) for column in columns]
        print(
            f"{kind:24}"
            + "".join(f"{n:8}" for n in [*known, sum(row.values())])
            + f"{outcome.slowest_s[kind]:8.2f}"
        )
    sizes = [state.rss_bytes / 2**20 for state in outcome.states]
    total = outcome.counts.total()
    print(f"{total} requests in {elapsed_s:.0f} s, {total / elapsed_s:.0f} a second; "
          f"{outcome.right} valid requests in between got the correct response")  # fmt: skip
    print(f"resident memory {min(sizes):.0f} to {max(sizes):.0f} MiB, "
          f"{growth(outcome):+.1%} from the first fifth to the last; at most "
          f"{max(state.threads for state in outcome.states)} threads, "
          f"{max(state.files for state in outcome.states)} files")  # fmt: skip


def _save(breaches: Sequence[Breach], folder: Path, log: str) -> None:
    for breach in breaches:
        print(f"BREACH {breach.number}: {breach.what}")
        if breach.sent:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{breach.number}.http").write_bytes(breach.sent)
    if breaches:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "serve.log").write_text(log)
        print(f"the requests and the server's log are in {folder}")


if __name__ == "__main__":
    sys.exit(main())

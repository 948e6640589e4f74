"""Sends wrong requests, many thousands, and checks that each is answered and nothing suffers.

    python -m reliability.mutations
    python -m reliability.mutations --requests 3000 --first 41000    (some of them again)

Each is a right request (reliability/valid_requests.py) with something wrong
(reliability/mutate.py), or no HTTP at all. Whatever comes, the server has to answer in time, never
with 500, errors in its own form; a right request in between has to get the right answer; and the
process has to stay as large as it was. Random numbers depend on seed and number alone, so each
request can be had again.
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

from reliability.mutate import mutated
from reliability.server import ProcessState, Target, server, wait_until
from reliability.valid_requests import (
    features,
    inference_requests,
    localize_requests,
    questions,
)
from reliability.verdict import fault, framing
from reliability.wire import Answer, Connection, NoAnswerError, Request

MODEL, CHANNELS, SNIPPETS = "small", 8, 20
FLAGS: dict[str, object] = {
    "max_snippets": 500,
    "max_body_bytes": 1_000_000,
    "jobs": 0,
    "wait_s": 0,
    "max_queued_jobs": 10,
}
"""Of the server: small limits, so that they are met."""
LIMIT_S = 10.0
"""Longest time that an answer may take."""
GROWTH = 0.05
"""Most that the process may grow from the first fifth of the requests to the last, as a share."""
_RIGHT_EVERY = 100
_SAMPLE_S = 0.25
_CLIENTS = 4
_SETTLE_S = 30.0
_POOLED_FILES = 4
"""Connections that the jobs' database keeps once several were needed at a time."""


@dataclass(frozen=True, slots=True)
class Breach:
    """Something that should not have happened."""

    what: str
    """What it was."""
    number: int = -1
    """Of the request, or -1 where it was none's."""
    sent: bytes = b""
    """The bytes that were sent."""


@dataclass(slots=True)
class Outcome:
    """What came of all requests."""

    breaches: list[Breach] = field(default_factory=list)
    """What should not have happened."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many of each kind were answered how."""
    slowest_s: dict[str, float] = field(default_factory=dict)
    """Longest time to an answer, by kind."""
    right: int = 0
    """Right requests in between that were answered right."""
    states: list[ProcessState] = field(default_factory=list)
    """The server's process from the first to the last."""


def valid_requests() -> dict[str, Request]:
    """Returns the right requests that the wrong ones are made of."""
    features_TD = features(SNIPPETS, CHANNELS)
    return {
        **localize_requests(features_TD),
        **inference_requests(features_TD, MODEL),
        **questions(MODEL),
    }


def send_mutations(
    target: Target, numbers: Sequence[int], *, seed: int = 0, max_breaches: int = 20
) -> Outcome:
    """Sends some of the wrong requests over several connections and returns what came of them.

    Args:
        target: a server with `FLAGS` whose only model takes features of `CHANNELS`.
        numbers: which ones.
        seed: of the random numbers.
        max_breaches: ends after so many.
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
            Breach(f"{len(files)} files are open, {before.files} were before: {files}")
        )
    return outcome


def growth(outcome: Outcome) -> float:
    """Returns how much the process grew from the first fifth of the run to its end, as a share."""
    sizes = [state.rss_bytes for state in outcome.states]
    fifth = max(len(sizes) // 5, 1)
    return max(sizes[-fifth:]) / max(sizes[: fifth + 1]) - 1


def _warm(target: Target) -> ProcessState:
    """Returns the server's process after it has been asked everything once."""
    for asked in valid_requests().values():
        with Connection(target.port) as connection:
            connection.ask(asked)
    return target.state()


class _Client(threading.Thread):
    """Sends one request after the other, over one connection as long as that lasts."""

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
        self._expected = _found(self._ask_right())
        self._connection: Connection | None = None

    def run(self) -> None:
        """Sends until there are no more, or too much went wrong."""
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
            how, wrong = "late", f"no answer, and no end, within {LIMIT_S} s"
        except (HTTPException, OSError) as error:
            how, wrong = "broken", f"no HTTP came: {error!r}"
        elapsed_s = time.monotonic() - started_s
        if wrong:
            self._drop()
        with self._lock:
            self._outcome.counts[kind, how] += 1
            self._outcome.slowest_s[kind] = max(self._outcome.slowest_s.get(kind, 0), elapsed_s)
            if wrong:
                self._outcome.breaches.append(Breach(f"{kind}: {wrong}", number, data))

    def _exchange(self, data: bytes) -> tuple[str, str | None]:
        """Returns how bytes were answered, and what was wrong with that."""
        expected = framing(data)
        connection = self._connection or Connection(self._target.port, timeout_s=LIMIT_S)
        self._connection = connection
        try:
            connection.send(data)
            if expected.state != "whole":
                connection.finish()
        except OSError:
            pass  # it was refused before all of it was there; its answer says why
        if expected.state != "whole":
            return self._rest(connection, expected.paths)
        answer = None
        for path in expected.paths:
            if answer and answer.ends_connection:
                break
            try:
                answer = connection.answer()
            except NoAnswerError as error:
                self._drop()
                return "no answer", str(error)
            if wrong := fault(answer, path):
                return f"{answer.status}", wrong
        assert answer
        if answer.ends_connection:
            self._drop()
        return f"{answer.status // 100}xx", None

    def _rest(self, connection: Connection, paths: tuple[str, ...]) -> tuple[str, str | None]:
        """Reads all that comes until the server ends the connection."""
        answers: list[Answer] = []
        try:
            while True:
                answers.append(connection.answer())
        except NoAnswerError:
            self._drop()
        if len(answers) > len(paths) + 1:
            return "too many answers", f"{len(answers)} answers to {len(paths)} requests"
        for answer in answers:
            if wrong := fault(answer, None):
                return f"{answer.status}", wrong
        return (f"{answers[-1].status // 100}xx" if answers else "ended"), None

    def _check_right(self, number: int) -> None:
        try:
            found = _found(self._ask_right())
        except (OSError, HTTPException, ValueError) as error:
            found = repr(error)
        with self._lock:
            if found == self._expected:
                self._outcome.right += 1
            else:
                self._outcome.breaches.append(
                    Breach(f"a right request was answered with {found}", number)
                )

    def _ask_right(self) -> Answer:
        with Connection(self._target.port, timeout_s=LIMIT_S) as connection:
            return connection.ask(self._right)

    def _drop(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _found(answer: Answer) -> object:
    """Returns what an answer tells, without the time that it took."""
    told = json.loads(answer.body)
    return {name: told[name] for name in told if name != "timing_ms"}


def main() -> int:
    """Runs it and returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--breaches", type=Path, default=Path("breaches"), help="folder for them")
    given = parser.parse_args()
    from reliability.random_model import publish_random  # torch takes seconds to import

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        publish_random(folder / "models", MODEL, feature_dim=CHANNELS)
        target = stack.enter_context(server(folder / "models", folder, **FLAGS))
        started_s = time.monotonic()
        numbers = range(given.first, given.first + given.requests)
        outcome = send_mutations(target, numbers, seed=given.seed)
        elapsed_s = time.monotonic() - started_s
        log = (folder / "serve.log").read_text(errors="replace")
    if "Traceback" in log:
        outcome.breaches.append(Breach(f"the log holds {log.count('Traceback')} tracebacks"))
    if growth(outcome) > GROWTH:
        outcome.breaches.append(Breach(f"the process grew by {growth(outcome):.1%}"))
    _print(outcome, elapsed_s)
    _save(outcome.breaches, given.breaches, log)
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
          f"{outcome.right} right ones in between were answered right")  # fmt: skip
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
        print(f"the requests and the server's log lie in {folder}")


if __name__ == "__main__":
    sys.exit(main())

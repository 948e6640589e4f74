"""Clients that ask for everything that the service does, and check every answer."""

import json
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count
from pathlib import Path
from random import Random
from typing import TypeAlias

from model.repository import list_models, publish
from reliability.server import Target
from reliability.tiny_video import tiny_video
from reliability.valid_requests import (
    features,
    inference_requests,
    localize_requests,
    questions,
)
from reliability.wire import Answer, Connection, Request, request

MODEL, VIDEO_MODEL, CHANNELS = "soak", "moves", 64
"""What the server has to serve."""
MAX_BODY_BYTES = 2_000_000
"""Its limit."""
_CLIENTS, _REQUESTS_A_CONNECTION = 4, 40
_RELOAD_EVERY_S, _KEPT_VERSIONS = 3.0, 2
_LIMIT_S, _JOB_S = 30.0, 120.0
_MOST_WAITS = 20
_BUSY = 503

Check: TypeAlias = Callable[[Answer], bool]
"""Tells whether an answer is right."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what its answer has to be."""

    kind: str
    """Its row in the table."""
    request: Request
    """What is sent."""
    is_right: Check
    """Checks the answer."""


@dataclass(slots=True)
class Tally:
    """What came of the requests of one kind."""

    elapsed_s: list[float] = field(default_factory=list)
    """Time of each that was answered right."""
    waits: int = 0
    """How often the server was busy and the client waited as it was told."""
    failures: list[str] = field(default_factory=list)
    """What else came."""


class Load:
    """All clients together, and what they saw."""

    def __init__(self, target: Target, repository: Path) -> None:
        """Asks everything once, to know the right answers."""
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self._target = target
        self._repository = repository
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._asked = list(self._learn())
        work = [self._ask_on] * _CLIENTS + [self._hand_in, self._hang_up, self._reload]
        self._threads = [threading.Thread(target=one, args=(n,)) for n, one in enumerate(work)]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends; requests under way are answered first."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def failures(self) -> list[str]:
        """Returns all that went wrong."""
        return [
            f"{kind}: {what}" for kind, tally in self.tallies.items() for what in tally.failures
        ]

    def _learn(self) -> Iterator[Asked]:
        """Yields what is asked again and again, with the answer that came to it now."""
        right: dict[str, Request] = {}
        for snippets in (20, 300):
            features_TD = features(snippets, CHANNELS)
            localized = localize_requests(features_TD)
            for form, asked in {**localized, **inference_requests(features_TD, MODEL)}.items():
                right[f"{form}, {snippets} snippets"] = asked
        with Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
            for kind, asked in right.items():
                expected = _found(connection.ask(asked))
                yield Asked(kind, asked, lambda a, e=expected: _found(a) == e)  # type: ignore[misc]
        for name, asked in questions(MODEL).items():
            if name not in ("job", "version"):  # there is none; versions come and go
                yield Asked(f"GET {name}", asked, lambda a: a.status == 200)
        yield from _errors(right["raw, 20 snippets"])

    def _ask_on(self, number: int) -> None:
        random = Random(number)
        while not self._stopped.is_set():
            try:
                with Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
                    for _ in range(_REQUESTS_A_CONNECTION):
                        asked = random.choice(self._asked)
                        if self._stopped.is_set() or self._ask(connection, asked) is None:
                            break
            except OSError as error:
                self._fail("connect", repr(error))

    def _ask(self, connection: Connection, asked: Asked) -> Answer | None:
        """Returns the right answer; None if the connection is at its end."""
        for _ in range(_MOST_WAITS):
            started_s = time.monotonic()
            try:
                answer = connection.ask(asked.request)
            except (OSError, HTTPException) as error:
                self._fail(asked.kind, repr(error))
                return None
            if answer.status == _BUSY and "retry-after" in answer.headers:
                with self._lock:
                    self.tallies[asked.kind].waits += 1
                self._stopped.wait(float(answer.headers["retry-after"]))
                if answer.ends_connection:
                    return None
                continue
            if not asked.is_right(answer):
                self._fail(asked.kind, f"status {answer.status}: {answer.body[:200]!r}")
            else:
                with self._lock:
                    self.tallies[asked.kind].elapsed_s.append(time.monotonic() - started_s)
            return None if answer.ends_connection else answer
        self._fail(asked.kind, f"busy {_MOST_WAITS} times")
        return None

    def _hand_in(self, _number: int) -> None:
        """Hands in one new video after the other, and waits for what is found in it."""
        for seed in count():
            if self._stopped.wait(1):
                return
            upload = request(
                "POST", f"/jobs?model={VIDEO_MODEL}", tiny_video(seed), Content_Type="video/mp4"
            )
            started_s = time.monotonic()
            try:
                self._follow(upload)
            except (OSError, HTTPException, ValueError, KeyError) as error:
                self._fail("video", repr(error))
            else:
                self.tallies["video"].elapsed_s.append(time.monotonic() - started_s)

    def _follow(self, upload: Request) -> None:
        with Connection(self._target.port, timeout_s=_JOB_S) as connection:
            answer = connection.ask(upload)
            if answer.status == _BUSY and "retry-after" in answer.headers:
                self.tallies["video"].waits += 1
                self._stopped.wait(float(answer.headers["retry-after"]))
                return
            id_ = json.loads(answer.body)["id"]
            events = connection.ask(request("GET", f"/jobs/{id_}/events"))
            if b"event: done" not in events.body:
                raise ValueError(f"the job's events were {events.body[-300:]!r}")
        with Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
            job = json.loads(connection.ask(request("GET", f"/jobs/{id_}")).body)
            if job["state"] != "done" or not job["result"]["snippets"]:
                raise ValueError(f"the job became {job}")

    def _hang_up(self, number: int) -> None:
        """Leaves in the middle of requests and of answers."""
        random, asked = Random(number), [one.request.encode() for one in self._asked]
        while not self._stopped.wait(0.05):
            data = random.choice(asked)
            with suppress(OSError):
                connection = Connection(self._target.port, timeout_s=_LIMIT_S)
                connection.send(data[: random.choice((len(data), random.randrange(len(data))))])
                connection.reset() if random.random() < 0.5 else connection.close()
            self.tallies["hung up"].elapsed_s.append(0)

    def _reload(self, _number: int) -> None:
        """Publishes a version, has it loaded and removes an old one, again and again."""
        while not self._stopped.wait(_RELOAD_EVERY_S):
            versions = [one for one in list_models(self._repository) if one.name == MODEL]
            content = versions[-1].path.read_bytes()
            publish(self._repository, MODEL, lambda path, c=content: path.write_bytes(c))  # type: ignore[misc]
            self._load(len(versions) + 1)
            for old in versions[: 1 - _KEPT_VERSIONS]:
                shutil.rmtree(old.path.parent)
            self._load(_KEPT_VERSIONS)

    def _load(self, versions: int) -> None:
        def is_right(answer: Answer) -> bool:
            states = [one["state"] for one in json.loads(answer.body)["versions"]]
            return states == ["ready"] * versions

        with suppress(OSError), Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
            self._ask(connection, Asked("load", request("POST", f"/models/{MODEL}/load"), is_right))

    def _fail(self, kind: str, what: str) -> None:
        with self._lock:
            self.tallies[kind].failures.append(what)


def _errors(right: Request) -> Iterator[Asked]:
    def status(expected: int) -> Check:
        return lambda answer: answer.status == expected

    nan = b"\x00\x00\xc0\x7f" * (len(right.body) // 4)
    broken = request("POST", "/localize", b"{", Content_Type="application/json")
    yield Asked("error 400", broken, status(400))
    yield Asked("error 404", request("GET", "/models/none"), status(404))
    yield Asked("error 405", request("PUT", "/health", b""), status(405))
    yield Asked("error 413", right.with_body(bytes(MAX_BODY_BYTES + 1)), status(413))
    yield Asked("error 415", right.with_header(b"Content-Type", b"text/plain"), status(415))
    yield Asked("error 422", right.with_body(nan), status(422))
    yield Asked("v2 error", request("POST", f"/v2/models/{MODEL}/infer", b"{}"), status(400))


def _found(answer: Answer) -> object:
    """Returns what an answer tells, without its time and the version that gave it."""
    if answer.media_type != "application/json":
        start = int(answer.headers.get("inference-header-content-length", 0))
        return answer.status, answer.body[start:]
    told = json.loads(answer.body)
    for name in ("timing_ms", "model", "model_version"):
        told.pop(name, None)
    return answer.status, told

"""Clients that use the whole API and check every response."""

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
from reliability.load.tiny_video import tiny_video
from reliability.messages.valid_requests import (
    features,
    get_requests,
    inference_requests,
    localize_requests,
)
from reliability.messages.wire import Connection, Request, Response, make_request
from reliability.server import Target

MODEL, VIDEO_MODEL, CHANNELS = "soak", "moves", 64
"""Models that the server must serve, and the channels of the first."""
MAX_BODY_BYTES = 2_000_000
"""Limit of the server for bodies."""
_CLIENTS, _REQUESTS_A_CONNECTION = 4, 40
_RELOAD_EVERY_S, _KEPT_VERSIONS = 3.0, 2
_LIMIT_S, _JOB_S = 30.0, 120.0
_MOST_WAITS = 20
_BUSY = 503

Check: TypeAlias = Callable[[Response], bool]
"""Returns whether a response is correct."""


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request and the check of its response."""

    kind: str
    """Kind of the request: its row in the table."""
    request: Request
    """Request to send."""
    is_right: Check
    """Check of the response."""


@dataclass(slots=True)
class Tally:
    """Results of the requests of one kind."""

    elapsed_s: list[float] = field(default_factory=list)
    """Time to each correct response."""
    waits: int = 0
    """Number of times that the client waited for Retry-After because the server was busy."""
    failures: list[str] = field(default_factory=list)
    """Descriptions of the failures."""


class Load:
    """All clients and their results."""

    def __init__(self, target: Target, repository: Path) -> None:
        """Sends every request once to learn the correct responses."""
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self._target = target
        self._repository = repository
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._requests = list(self._learn())
        work = [self._repeat] * _CLIENTS + [self._submit_videos, self._hang_up, self._reload]
        self._threads = [threading.Thread(target=one, args=(n,)) for n, one in enumerate(work)]

    def start(self) -> None:
        """Starts all clients."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops all clients after their current requests."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def failures(self) -> list[str]:
        """Returns the failures of all kinds."""
        return [
            f"{kind}: {what}" for kind, tally in self.tallies.items() for what in tally.failures
        ]

    def _learn(self) -> Iterator[CheckedRequest]:
        """Yields the requests that clients repeat, with checks for the current responses."""
        right: dict[str, Request] = {}
        for snippets in (20, 300):
            features_TD = features(snippets, CHANNELS)
            localized = localize_requests(features_TD)
            for form, request in {**localized, **inference_requests(features_TD, MODEL)}.items():
                right[f"{form}, {snippets} snippets"] = request
        with Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
            for kind, request in right.items():
                expected = _content(connection.exchange(request))
                yield CheckedRequest(kind, request, lambda a, e=expected: _content(a) == e)  # type: ignore[misc]
        for name, request in get_requests(MODEL).items():
            if name not in ("job", "version"):  # there is no such job, and versions come and go
                yield CheckedRequest(f"GET {name}", request, lambda a: a.status == 200)
        yield from _errors(right["raw, 20 snippets"])

    def _repeat(self, number: int) -> None:
        random = Random(number)
        while not self._stopped.is_set():
            try:
                with Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
                    for _ in range(_REQUESTS_A_CONNECTION):
                        request = random.choice(self._requests)
                        if self._stopped.is_set() or self._send(connection, request) is None:
                            break
            except OSError as error:
                self._fail("connect", repr(error))

    def _send(self, connection: Connection, request: CheckedRequest) -> Response | None:
        """Returns the correct response; None if the connection must be closed."""
        for _ in range(_MOST_WAITS):
            started_s = time.monotonic()
            try:
                response = connection.exchange(request.request)
            except (OSError, HTTPException) as error:
                self._fail(request.kind, repr(error))
                return None
            if response.status == _BUSY and "retry-after" in response.headers:
                with self._lock:
                    self.tallies[request.kind].waits += 1
                self._stopped.wait(float(response.headers["retry-after"]))
                if response.ends_connection:
                    return None
                continue
            if not request.is_right(response):
                self._fail(request.kind, f"status {response.status}: {response.body[:200]!r}")
            else:
                with self._lock:
                    self.tallies[request.kind].elapsed_s.append(time.monotonic() - started_s)
            return None if response.ends_connection else response
        self._fail(request.kind, f"busy {_MOST_WAITS} times")
        return None

    def _submit_videos(self, _number: int) -> None:
        """Submits one new video after the other and waits for each result."""
        for seed in count():
            if self._stopped.wait(1):
                return
            upload = make_request(
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
            response = connection.exchange(upload)
            if response.status == _BUSY and "retry-after" in response.headers:
                self.tallies["video"].waits += 1
                self._stopped.wait(float(response.headers["retry-after"]))
                return
            id_ = json.loads(response.body)["id"]
            events = connection.exchange(make_request("GET", f"/jobs/{id_}/events"))
            if b"event: done" not in events.body:
                raise ValueError(f"the job's events were {events.body[-300:]!r}")
        with Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
            job = json.loads(connection.exchange(make_request("GET", f"/jobs/{id_}")).body)
            if job["state"] != "done" or not job["result"]["snippets"]:
                raise ValueError(f"the job ended as {job}")

    def _hang_up(self, number: int) -> None:
        """Disconnects in the middle of requests and of responses."""
        random, request = Random(number), [one.request.encode() for one in self._requests]
        while not self._stopped.wait(0.05):
            data = random.choice(request)
            with suppress(OSError):
                connection = Connection(self._target.port, timeout_s=_LIMIT_S)
                connection.send(data[: random.choice((len(data), random.randrange(len(data))))])
                connection.reset() if random.random() < 0.5 else connection.close()
            self.tallies["hung up"].elapsed_s.append(0)

    def _reload(self, _number: int) -> None:
        """Publishes and loads a version and removes an old one, repeatedly."""
        while not self._stopped.wait(_RELOAD_EVERY_S):
            versions = [one for one in list_models(self._repository) if one.name == MODEL]
            content = versions[-1].path.read_bytes()
            publish(self._repository, MODEL, lambda path, c=content: path.write_bytes(c))  # type: ignore[misc]
            self._load(len(versions) + 1)
            for old in versions[: 1 - _KEPT_VERSIONS]:
                shutil.rmtree(old.path.parent)
            self._load(_KEPT_VERSIONS)

    def _load(self, versions: int) -> None:
        def is_right(response: Response) -> bool:
            states = [one["state"] for one in json.loads(response.body)["versions"]]
            return states == ["ready"] * versions

        with suppress(OSError), Connection(self._target.port, timeout_s=_LIMIT_S) as connection:
            self._send(
                connection,
                CheckedRequest("load", make_request("POST", f"/models/{MODEL}/load"), is_right),
            )

    def _fail(self, kind: str, what: str) -> None:
        with self._lock:
            self.tallies[kind].failures.append(what)


def _errors(right: Request) -> Iterator[CheckedRequest]:
    def status(expected: int) -> Check:
        return lambda response: response.status == expected

    nan = b"\x00\x00\xc0\x7f" * (len(right.body) // 4)
    broken = make_request("POST", "/localize", b"{", Content_Type="application/json")
    yield CheckedRequest("error 400", broken, status(400))
    yield CheckedRequest("error 404", make_request("GET", "/models/none"), status(404))
    yield CheckedRequest("error 405", make_request("PUT", "/health", b""), status(405))
    yield CheckedRequest("error 413", right.with_body(bytes(MAX_BODY_BYTES + 1)), status(413))
    yield CheckedRequest(
        "error 415", right.with_header(b"Content-Type", b"text/plain"), status(415)
    )
    yield CheckedRequest("error 422", right.with_body(nan), status(422))
    yield CheckedRequest(
        "v2 error", make_request("POST", f"/v2/models/{MODEL}/infer", b"{}"), status(400)
    )


def _content(response: Response) -> object:
    """Returns the content of a response, without its timing and the version of the model."""
    if response.media_type != "application/json":
        start = int(response.headers.get("inference-header-content-length", 0))
        return response.status, response.body[start:]
    fields = json.loads(response.body)
    for name in ("timing_ms", "model", "model_version"):
        fields.pop(name, None)
    return response.status, fields

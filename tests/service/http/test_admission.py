"""Who is let in, who is refused before sending its body, and who is given up."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.engine import EngineConfig, OnnxEngine
from model.predict import predict_video
from service.errors import OverloadedError
from service.http.admission import Admission, Bounds, Ticket
from service.http.buffers import Buffers
from service.localize.stop import Stop, StoppedError
from service.settings import Settings

RAW = {"Content-Type": "application/octet-stream", "X-Shape": "40,8"}


def admission(**bounds: float) -> Admission:
    given: dict[str, Any] = {"concurrency": 2, "max_waiting": 3, "max_wait_s": 1.0,
                             "max_memory_bytes": 1000}  # fmt: skip
    return Admission(Bounds(**given | bounds), Buffers(0))


@given(st.lists(st.tuples(st.integers(0, 2000), st.booleans(), st.booleans()), max_size=40))
def test_bounds_hold_whoever_comes_and_goes(comers: list[tuple[int, bool, bool]]) -> None:
    """Never more requests or bytes than allowed; when all have gone, nothing is left."""
    account = admission()
    held: list[Ticket] = []
    for room_bytes, computed, one_goes in comers:
        with contextlib.suppress(OverloadedError):
            held.append(Ticket(account, room_bytes, computed=computed))
        if one_goes and held:
            held.pop(0).give_back()
        assert account.requests <= 5
        assert account.memory_bytes <= 1000
    for ticket in held:
        ticket.give_back()
    assert (account.requests, account.memory_bytes) == (0, 0)


def test_the_wait_is_foreseen_from_how_long_requests_take() -> None:
    """Two slots and half a second each: the fifth request ahead makes it more than a second."""
    account = admission(max_waiting=100)
    account.worked(0.5)
    for _ in range(5):
        Ticket(account, 0, computed=True)
    assert account.expected_wait_s() == 1.0
    Ticket(account, 0, computed=True)
    with pytest.raises(OverloadedError, match=r"wait for 1\.2 s, the limit is 1 s") as refused:
        Ticket(account, 0, computed=True)
    assert refused.value.headers["Retry-After"] == "2"


def test_a_body_larger_than_all_memory_is_taken_alone() -> None:
    """Its length has a limit of its own; to refuse it as busy would never end."""
    account = admission()
    ticket = Ticket(account, 5000, computed=False)
    with pytest.raises(OverloadedError, match="no memory"):
        Ticket(account, 1, computed=False)
    ticket.give_back()
    Ticket(account, 1, computed=False)


@dataclass
class Held:
    """A service whose work is held up until it is told to go on."""

    url: str
    go_on: threading.Event
    begun: list[int]
    """How often work was begun."""

    def wait_for(self, metric: str, count: float) -> None:
        """Returns once a metric has a value."""
        end_s = time.monotonic() + 10
        while f"{metric} {count:.1f}" not in httpx.get(f"{self.url}/metrics").text:
            assert time.monotonic() < end_s
            time.sleep(0.01)


Hold = Callable[..., Held]


@pytest.fixture
def held(serving, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Starts a service with one slot and some settings."""
    go_on = threading.Event()
    begun: list[int] = []

    def held_up(engine: Any, *given: Any, **options: Any) -> object:
        begun.append(1)
        while not go_on.wait(0.005):
            engine._stop.check()
        return predict_video(engine, *given, **options)

    monkeypatch.setattr("service.localize.answer.predict_video", held_up)
    running = []

    def start(**settings: Any) -> Held:
        server = serving(Settings(repository=repository, concurrency=1, **settings))
        running.append(server)
        return Held(server.__enter__(), go_on, begun)

    yield start
    go_on.set()
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that send requests."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def ask(pool: ThreadPoolExecutor, features_TD: np.ndarray) -> Callable[..., Future]:
    """Sends a request in the background."""

    def send(url: str, **headers: str) -> Future:
        body = features_TD.tobytes()
        return pool.submit(httpx.post, f"{url}/localize", content=body, headers=RAW | headers,
                           timeout=30)  # fmt: skip

    return send


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def head(path: str, length: int, *lines: str) -> bytes:
    given = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {length}",
             *(f"{name}: {value}" for name, value in RAW.items()), *lines]  # fmt: skip
    return "\r\n".join([*given, "", ""]).encode()


def test_over_the_bound_a_request_is_refused_before_it_sends_its_body(
    held: Hold, ask: Callable[..., Future]
) -> None:
    """A client that asks first is told 503, without 100 Continue; the others are answered."""
    service = held(max_waiting=1)
    answers = [ask(service.url), ask(service.url)]
    service.wait_for("ecm_requests_waiting", 1)
    for path in ("/localize", "/v2/models/small/infer"):
        with connect(service.url) as client:
            client.sendall(head(path, 1280, "Expect: 100-continue"))
            told = b"".join(iter(lambda c=client: c.recv(65536), b"")).decode()
        assert told.startswith("HTTP/1.1 503")
        assert "retry-after: 1\r\n" in told.lower()
        problem = json.loads(told.partition("\r\n\r\n")[2])
        if path == "/localize":
            assert problem["type"] == "urn:ecm-localizer:overloaded"
        assert "1 requests are waiting" in (problem.get("detail") or problem["error"])
    service.go_on.set()
    assert [answer.result().status_code for answer in answers] == [200, 200]
    assert ask(service.url).result().status_code == 200


def test_who_has_sent_its_body_at_once_hears_the_refusal(
    held: Hold, ask: Callable[..., Future]
) -> None:
    """Megabytes on their way do not reset the connection before the answer is read."""
    service = held(max_waiting=0)
    answer = ask(service.url)
    service.wait_for("ecm_requests_computing", 1)
    for _ in range(5):
        refused = httpx.post(f"{service.url}/localize", content=bytes(8_000_000), headers=RAW)
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:ecm-localizer:overloaded"
    service.go_on.set()
    assert answer.result().status_code == 200


def test_a_slow_body_holds_no_place(
    held: Hold, ask: Callable[..., Future], features_TD: np.ndarray
) -> None:
    """Where only one request is let in, others pass one that dribbles; in the end it is done."""
    service = held(max_waiting=0)
    service.go_on.set()
    body = features_TD.tobytes()
    with connect(service.url) as slow:
        slow.sendall(head("/localize", len(body)) + body[:100])
        end_s = time.monotonic() + 10
        while ask(service.url).result().status_code == 503:
            assert time.monotonic() < end_s
        slow.sendall(body[100:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("settings", [{"max_body_s": 0.2}, {"body_stall_s": 0.2}])
@pytest.mark.parametrize("lines", [(), ("Transfer-Encoding: chunked",)], ids=["length", "chunked"])
def test_a_body_that_does_not_arrive_is_given_up(
    held: Hold, ask: Callable[..., Future], settings: dict[str, float], lines: tuple[str, ...]
) -> None:
    """408, and the connection ends; nothing of it is left over."""
    service = held(**settings)
    service.go_on.set()
    with connect(service.url) as client:
        begin = head("/localize", 1280, *lines)
        if lines:
            begin = begin.replace(b"Content-Length: 1280\r\n", b"")
        client.sendall(begin + (b"1\r\nx\r\n" if lines else b"x" * 100))
        told = b"".join(iter(lambda: client.recv(65536), b""))
    assert told.startswith(b"HTTP/1.1 408")
    assert b"urn:ecm-localizer:body-too-slow" in told
    assert ask(service.url).result().status_code == 200


def test_a_request_is_given_up_when_its_time_is_over(
    held: Hold, ask: Callable[..., Future]
) -> None:
    """504 to one that is computed and to one that waits; a time that is none is refused."""
    service = held(max_request_s=20)
    computed = ask(service.url, **{"X-Request-Timeout": "0.8"})
    service.wait_for("ecm_requests_computing", 1)
    waiting = ask(service.url, **{"X-Request-Timeout": "0.1"})
    for answer, doing in ((waiting, "still waiting"), (computed, "being computed")):
        assert answer.result().status_code == 504
        assert answer.result().json()["type"] == "urn:ecm-localizer:deadline-exceeded"
        assert doing in answer.result().json()["detail"]
    assert len(service.begun) == 1
    service.go_on.set()
    for text in ("0", "-1", "soon", "nan"):
        answer = ask(service.url, **{"X-Request-Timeout": text}).result()
        assert (answer.status_code, text in answer.text) == (422, True)
    assert ask(service.url, **{"X-Request-Timeout": "20"}).result().status_code == 200


def test_a_service_whose_work_hangs_says_so(
    held: Hold, ask: Callable[..., Future], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not end when its time is over: it is not alive then, and not before."""
    monkeypatch.setattr(Stop, "check", lambda _: None)
    service = held(max_request_s=0.05)
    live = f"{service.url}/health/live"
    answer = ask(service.url)
    service.wait_for("ecm_requests_computing", 1)
    assert httpx.get(live).status_code == 200
    monkeypatch.setattr("service.localize.slots.STUCK_S", 0.0)
    end_s = time.monotonic() + 10
    while (told := httpx.get(live)).status_code == 200:
        assert time.monotonic() < end_s
    assert (told.status_code, told.json()) == (503, {"status": "stuck"})
    service.go_on.set()
    answer.result()
    assert httpx.get(live).status_code == 200


def test_the_setting_bounds_what_a_client_may_ask_for(
    held: Hold, ask: Callable[..., Future]
) -> None:
    """The shorter of both counts."""
    service = held(max_request_s=0.2)
    assert ask(service.url, **{"X-Request-Timeout": "1000"}).result().status_code == 504


def test_nothing_is_computed_for_who_has_left(
    held: Hold, ask: Callable[..., Future], features_TD: np.ndarray
) -> None:
    """One that waits never begins, one that is computed ends; their slots go to others."""
    service = held()
    body = features_TD.tobytes()
    clients = []
    for metric in ("ecm_requests_computing", "ecm_requests_waiting"):
        clients.append(connect(service.url))
        clients[-1].sendall(head("/localize", len(body)) + body)
        service.wait_for(metric, 1)
    for client in clients:
        client.close()
    service.wait_for("ecm_requests_waiting", 0)
    service.wait_for("ecm_requests_computing", 0)
    assert len(service.begun) <= 2
    service.go_on.set()
    assert ask(service.url).result().status_code == 200
    told = httpx.get(f"{service.url}/metrics").text
    assert 'ecm_requests_total{method="POST",path="/localize",status="499"} 2.0' in told


def test_bodies_may_take_so_much_memory_together(
    held: Hold, ask: Callable[..., Future], features_TD: np.ndarray
) -> None:
    """A body that does not say how long it is may be as long as any; one that fits is let in."""
    service = held(max_memory_bytes=3000, max_body_bytes=2000)
    answer = ask(service.url)
    service.wait_for("ecm_admitted_memory_bytes", features_TD.nbytes)
    parts = iter([features_TD.tobytes()])
    refused = httpx.post(f"{service.url}/localize", content=parts, headers=RAW)
    assert (refused.status_code, "no memory" in refused.text) == (503, True)
    second = ask(service.url)
    service.wait_for("ecm_admitted_memory_bytes", 2 * features_TD.nbytes)
    service.go_on.set()
    assert (answer.result().status_code, second.result().status_code) == (200, 200)
    service.wait_for("ecm_admitted_memory_bytes", 0)


def test_a_run_of_the_network_is_ended(exported: bytes) -> None:
    """Somebody sets the stop while it computes; the next run is none the worse."""
    engine = OnnxEngine(exported, EngineConfig(threads=1))
    features_TD = np.zeros((1_500_000, 8), np.float32)
    stop = Stop()
    threading.Timer(0.02, stop.set, ["late"]).start()
    with pytest.raises(StoppedError):
        stop.run(lambda options: engine.cas(features_TD, options))
    assert engine.cas(features_TD[:10]).shape == (10, 3)

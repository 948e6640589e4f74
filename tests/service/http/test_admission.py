"""Admission: requests that are accepted, refused before their body is read, or aborted."""

import asyncio
import contextlib
import io
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

from model.inference.engine import EngineConfig, OnnxEngine
from model.predict import predict_video
from service.errors import BodyTooSlowError, OverloadedError
from service.http.admission import UPLOAD_BYTES, Admission, Bounds, Ticket
from service.http.buffers import Buffers
from service.localize.stop import Stop, StoppedError
from service.settings import Settings

RAW = {"Content-Type": "application/octet-stream", "X-Shape": "40,8"}


def admission(**bounds: float) -> Admission:
    given: dict[str, Any] = {"concurrency": 2, "max_waiting": 3, "max_wait_s": 1.0,
                             "max_memory_bytes": 1000, "max_uploads": 2}  # fmt: skip
    return Admission(Bounds(**given | bounds), Buffers(0))


@given(st.lists(st.tuples(st.integers(0, 2000), st.booleans(), st.booleans()), max_size=40))
def test_limits_hold_for_any_order_of_requests(comers: list[tuple[int, bool, bool]]) -> None:
    """Requests and bytes never exceed their limits, and return to zero at the end."""
    account = admission()
    held: list[Ticket] = []
    for room_bytes, computed, one_goes in comers:
        with contextlib.suppress(OverloadedError):
            held.append(Ticket(account, computed=computed))
            held[-1].reserve(room_bytes)
        if one_goes and held:
            held.pop(0).give_back()
        assert account.requests <= 5
        assert account.memory_bytes <= 1000
    for ticket in held:
        ticket.give_back()
    assert (account.requests, account.memory_bytes) == (0, 0)


def test_the_expected_wait_follows_from_computing_times() -> None:
    """With two slots and 0.5 s for each request, the fifth request ahead makes it over 1 s."""
    account = admission(max_waiting=100)
    account.worked(0.5)
    assert account.expected_wait_s() == 0
    for _ in range(5):
        Ticket(account, computed=True)
    assert account.expected_wait_s() == 1.0
    Ticket(account, computed=True)
    with pytest.raises(OverloadedError, match=r"wait for 1\.2 s, the limit is 1 s") as refused:
        Ticket(account, computed=True)
    assert refused.value.headers["Retry-After"] == "2"


def test_a_body_larger_than_all_memory_is_accepted_alone() -> None:
    """Its length has its own limit; a refusal as busy would never end."""
    account = admission()
    ticket, other = (Ticket(account, computed=False) for _ in range(2))
    ticket.reserve(300)
    ticket.reserve(5000)  # what it has already is no hindrance
    with pytest.raises(OverloadedError, match="no memory"):
        other.reserve(1)
    ticket.give_back()
    other.reserve(1)
    assert account.memory_bytes == 1


def test_uploads_are_limited_in_number_and_take_memory() -> None:
    """A third upload is refused until one has ended; each reserves memory for its parts."""
    account = admission(max_memory_bytes=10 * UPLOAD_BYTES)
    tickets = [Ticket(account, computed=False) for _ in range(3)]
    tickets[0].upload()
    tickets[1].upload()
    assert account.memory_bytes == 2 * UPLOAD_BYTES
    with pytest.raises(OverloadedError, match="2 uploads are in progress"):
        tickets[2].upload()
    tickets[2].give_back()
    tickets[0].give_back()
    Ticket(account, computed=False).upload()
    assert (account.uploads, account.memory_bytes) == (2, 2 * UPLOAD_BYTES)


def test_slow_bodies_take_at_most_half_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly half is allowed; the body that passes it is ended, and the account returns to 0."""
    monkeypatch.setattr("service.http.admission.SLOW_S", 0.01)
    account = admission()

    async def receive(body_bytes: int, end: asyncio.Event) -> str:
        ticket = Ticket(account, computed=False)
        ticket.reserve(body_bytes)
        try:
            async with ticket.receiving(10):
                await end.wait()
            return "received"
        except BodyTooSlowError:
            return "ended"
        finally:
            ticket.give_back()

    async def receive_several() -> None:
        for _ in range(2):  # the second round finds the account as the first one did
            end = asyncio.Event()
            half = [asyncio.create_task(receive(250, end)) for _ in range(2)]
            await asyncio.sleep(0.1)
            assert account.slow_memory_bytes == 500
            assert await receive(1, end) == "ended"
            assert account.slow_memory_bytes == 500
            end.set()
            assert await asyncio.gather(*half) == ["received", "received"]
            assert (account.slow_memory_bytes, account.memory_bytes) == (0, 0)

    asyncio.run(receive_several())


@dataclass
class Held:
    """A service whose computations wait until the test releases them."""

    url: str
    go_on: threading.Event
    begun: list[int]
    """Number of computations that have begun."""

    def wait_for(self, metric: str, count: float) -> None:
        """Waits until a metric has a value."""
        end_s = time.monotonic() + 10
        while f"{metric} {count:.1f}" not in httpx.get(f"{self.url}/metrics").text:
            assert time.monotonic() < end_s
            time.sleep(0.01)


Hold = Callable[..., Held]


@pytest.fixture
def held(serving, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Starts a service with one slot and the given settings."""
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


def test_a_full_queue_refuses_a_request_before_its_body(
    held: Hold, ask: Callable[..., Future]
) -> None:
    """A client with Expect gets 503 instead of 100 Continue; the others get their responses."""
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


def test_a_client_that_is_still_sending_receives_the_refusal(
    held: Hold, ask: Callable[..., Future]
) -> None:
    """Megabytes in transit do not reset the connection before the response is read."""
    service = held(max_waiting=0)
    answer = ask(service.url)
    service.wait_for("ecm_requests_computing", 1)
    for _ in range(5):
        refused = httpx.post(f"{service.url}/localize", content=bytes(8_000_000), headers=RAW)
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:ecm-localizer:overloaded"
    service.go_on.set()
    assert answer.result().status_code == 200


def test_a_slow_body_occupies_no_place(
    held: Hold, ask: Callable[..., Future], features_TD: np.ndarray
) -> None:
    """With one place, other requests overtake a slow one, which is completed at the end."""
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
def test_a_body_that_does_not_arrive_ends_the_request(
    held: Hold, ask: Callable[..., Future], settings: dict[str, float], lines: tuple[str, ...]
) -> None:
    """The response is 408, the connection closes, and all reservations are released."""
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


def test_a_request_is_aborted_at_its_deadline(held: Hold, ask: Callable[..., Future]) -> None:
    """A computed and a waiting request get 504; a malformed timeout is refused."""
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


def test_a_stuck_computation_fails_the_liveness_probe(
    held: Hold, ask: Callable[..., Future], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe fails after the computation has outlived its deadline, and not before."""
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


def test_the_setting_limits_the_deadline_of_a_client(
    held: Hold, ask: Callable[..., Future]
) -> None:
    """The shorter of the two applies."""
    service = held(max_request_s=0.2)
    assert ask(service.url, **{"X-Request-Timeout": "1000"}).result().status_code == 504


def test_nothing_is_computed_for_a_disconnected_client(
    held: Hold, ask: Callable[..., Future], features_TD: np.ndarray
) -> None:
    """A waiting request never begins, and a computed one stops; others get their slots."""
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


def test_bodies_together_are_limited_by_the_memory(
    held: Hold, ask: Callable[..., Future], features_TD: np.ndarray
) -> None:
    """A body without a length counts with the limit; a body that fits is accepted."""
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


def test_bodies_that_no_route_reads_take_no_memory(held: Hold, ask: Callable[..., Future]) -> None:
    """A client may announce any body to a route without one; others keep their memory."""
    service = held(max_memory_bytes=2000)
    service.go_on.set()
    paths = ("/health", "/models/small/load", "/nowhere", "/v2/models/small/ready")
    with contextlib.ExitStack() as clients:
        for path in paths * 2:
            client = clients.enter_context(connect(service.url))
            client.sendall(head(path, 50_000_000) + b"x")
        assert ask(service.url).result().status_code == 200


def test_features_in_a_form_take_memory(
    held: Hold, ask: Callable[..., Future], features_TD: np.ndarray
) -> None:
    """They are counted before they are read from the disk."""
    service = held(max_memory_bytes=features_TD.nbytes + UPLOAD_BYTES + 100)
    answer = ask(service.url)
    service.wait_for("ecm_requests_computing", 1)
    content = io.BytesIO()
    np.save(content, features_TD)
    files = {"file": ("a.npy", content.getvalue())}
    refused = httpx.post(f"{service.url}/localize", files=files)
    assert (refused.status_code, "no memory" in refused.text) == (503, True)
    service.wait_for("ecm_admitted_memory_bytes", features_TD.nbytes)
    service.go_on.set()
    assert answer.result().status_code == 200


def test_a_form_that_trickles_is_ended(held: Hold, ask: Callable[..., Future]) -> None:
    """Each pause is shorter than the limit, but the mean rate is too low."""
    service = held(body_stall_s=0.4, min_upload_bytes_per_s=1000, max_uploads=1)
    service.go_on.set()
    form = "Content-Type: multipart/form-data; boundary=b"
    begin = head("/localize", 100_000).replace(
        b"Content-Type: application/octet-stream", form.encode()
    )
    with connect(service.url) as client, connect(service.url) as other:
        client.sendall(begin + b"--b\r\n")
        time.sleep(0.2)
        other.sendall(begin + b"--b\r\n")
        assert b"1 uploads are in progress" in other.recv(65536)
        told = b""
        for _ in range(20):
            with contextlib.suppress(OSError):
                client.sendall(b"x")
            time.sleep(0.1)
        told = client.recv(65536)
    assert told.startswith(b"HTTP/1.1 408")
    assert b"bytes arrived in" in told
    assert ask(service.url).result().status_code == 200


def test_a_long_computation_is_no_slow_body(held: Hold, ask: Callable[..., Future]) -> None:
    """The limits on a body end with its last byte."""
    service = held(body_stall_s=0.2)
    answer = ask(service.url)
    service.wait_for("ecm_requests_computing", 1)
    time.sleep(0.6)
    service.go_on.set()
    assert answer.result().status_code == 200


def test_a_run_of_the_network_can_be_stopped(exported: bytes) -> None:
    """A stop during a run ends it, and the next run works."""
    engine = OnnxEngine(exported, EngineConfig(threads=1))
    features_TD = np.zeros((1_500_000, 8), np.float32)
    stop = Stop()
    threading.Timer(0.02, stop.set, ["late"]).start()
    with pytest.raises(StoppedError):
        stop.run(lambda options: engine.cas(features_TD, options))
    assert engine.cas(features_TD[:10]).shape == (10, 3)

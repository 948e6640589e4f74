"""Bodies arrive complete, however they are sent, and the connection stays usable."""

import asyncio
import gc
import hashlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from service.http.admission import Admission, Bounds, Ticket
from service.http.body import BodyLimits, receive_whole, whole_number
from service.http.buffers import ALIGNMENT, Buffers
from service.http.connection import BoundedConnection
from service.http.request_record import begin_record

LIMITS = BodyLimits(
    max_bytes=2**24, max_video_bytes=2**24, longest_s=10, stall_s=5, min_bytes_per_s=0
)
SIZES = [0, 1, 100, 65_535, 65_536, 65_537, 300_000, 3_000_001]
ANSWER = threading.Event()
ADMISSION = Admission(Bounds(1, 1, 1.0, 10**9, 1), Buffers(2**24))


async def digest(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with the length, the hash and the alignment of the body."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/early":
        await answer_early(receive, send)
        return
    if scope["path"] == "/deaf":
        await answer_without_reading(send)
        return
    scope["state"]["ticket"] = ticket = Ticket(ADMISSION, computed=False)
    scope["state"]["record"] = begin_record(scope)
    scope["state"]["body_limits"] = LIMITS
    try:
        request = Request(scope, receive)
        begin = int(request.headers.get("x-begin", "0"))
        body = await receive_whole(request, head_bytes=begin)
        place = np.frombuffer(body, dtype=np.uint8).ctypes.data + begin if len(body) else 0
        await asyncio.sleep(0)
        told = f"{len(body)} {hashlib.sha256(body).hexdigest()} {place % ALIGNMENT}"
        await PlainTextResponse(told)(scope, receive, send)
    finally:
        ticket.give_back()


async def no_body() -> Message:
    """Stands for a client that has disconnected."""
    return {"type": "http.disconnect"}


async def answer_early(receive: Receive, send: Send) -> None:
    """Sends the response headers, waits for the body, and then sends the rest."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await receive()
    await send({"type": "http.response.body", "body": b"enough"})


async def answer_without_reading(send: Send) -> None:
    """Responds when the test releases it, and never reads the body."""
    while not ANSWER.is_set():
        await asyncio.sleep(0.01)
    await PlainTextResponse("enough", headers={"Connection": "close"})(
        {"type": "http"}, no_body, send
    )


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Port of a server on either event loop."""
    config = uvicorn.Config(digest, port=0, log_config=None, lifespan="off",
                            http=BoundedConnection, loop=request.param)  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def request_bytes(body: bytes, *lines: str) -> bytes:
    words = ["POST / HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(words).encode() + body


def read_answer(client: socket.socket, left: bytes = b"") -> tuple[str, bytes]:
    """Returns the body of the next response, and the bytes after it."""
    while b"\r\n\r\n" not in left:
        left += client.recv(65536)
    head, _, rest = left.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(rest) < length:
        rest += client.recv(65536)
    return rest[:length].decode(), rest[length:]


def expected(body: bytes) -> str:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("12", 12), ("0" * 5000 + "12", 12), (str(2**64 - 1), 2**64 - 1), ("", None),
     ("9" * 21, None), ("9" * 5000, None), ("-1", None), ("1_0", None), ("\u0661", None)],
)  # fmt: skip
def test_lengths_of_any_size_are_parsed(text: str, number: int | None) -> None:
    """A length that was not parsed would escape the limit for bodies."""
    assert whole_number(text) == number


@pytest.mark.parametrize("seed", range(6))
def test_bodies_of_any_length_arrive_in_any_parts(port: int, seed: int) -> None:
    """Requests follow each other on one connection and are split anywhere."""
    rng = np.random.default_rng(seed)
    with connect(port) as client:
        for size in rng.permutation(SIZES):
            body = rng.bytes(int(size))
            whole = request_bytes(body)
            cuts = sorted(rng.integers(0, len(whole), rng.integers(0, 6)))
            for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
                client.sendall(whole[start:end])
                time.sleep(0.001 * rng.integers(0, 3))
            assert read_answer(client)[0].startswith(expected(body))


def test_pipelined_requests_get_responses_in_order(port: int) -> None:
    """All requests are sent before the first response is read."""
    rng = np.random.default_rng(0)
    bodies = [rng.bytes(size) for size in (10, 200_000, 0, 70_000, 5, 1_000_000, 3)]
    with connect(port) as client:
        whole = b"".join(map(request_bytes, bodies))
        sender = threading.Thread(target=client.sendall, args=[whole])
        sender.start()
        left = b""
        for body in bodies:
            told, left = read_answer(client, left)
            assert told.startswith(expected(body))
        sender.join()


def test_numbers_are_aligned_in_memory(port: int) -> None:
    """The bytes before the numbers have any length."""
    with connect(port) as client:
        for begin in (0, 1, 77, 128, 300):
            client.sendall(request_bytes(bytes(1000), f"X-Begin: {begin}"))
            assert read_answer(client)[0].endswith(" 0")


def test_a_client_with_expect_gets_100_continue(port: int) -> None:
    """100 Continue comes once, before the body."""
    body = bytes(500_000)
    whole = request_bytes(body, "Expect: 100-continue")
    with connect(port) as client:
        client.sendall(whole[: -len(body)])
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert read_answer(client)[0].startswith(expected(body))


@pytest.mark.parametrize("sent", [0, 100, 200_000])
@pytest.mark.parametrize("half_closed", [True, False])
def test_a_client_that_disconnects_affects_no_other(
    port: int, sent: int, half_closed: bool
) -> None:
    """It disconnects within a body, or closes its sending side."""
    whole = request_bytes(bytes(1_000_000))
    with connect(port) as client:
        client.sendall(whole[: len(whole) - 1_000_000 + sent])
        if half_closed:
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1000) == b""
    with connect(port) as client:
        client.sendall(request_bytes(b"x"))
        assert read_answer(client)[0].startswith(expected(b"x"))


def test_buffers_are_reused() -> None:
    """Buffers of one size are reused, within the limit; lengths are exact."""
    buffers = Buffers(max_bytes=300_000)
    with buffers.lent(100_000) as first:
        first[:] = bytes(100_000)
        with buffers.lent(131_072) as second:
            assert len(second) == 131_072
    kept = [np.frombuffer(view, np.uint8).ctypes.data for view in (first, second)]
    with buffers.lent(70_000) as third, buffers.lent(131_072) as fourth:
        again = [np.frombuffer(view, np.uint8).ctypes.data for view in (third, fourth)]
    assert sorted(again) == sorted(kept)
    with buffers.lent(1_000_000), buffers.lent(0) as empty:
        assert len(empty) == 0
    with buffers.lent(70_000) as fifth:  # one that is too long to keep costs no other
        assert np.frombuffer(fifth, np.uint8).ctypes.data in kept


def watched_buffers(max_bytes: int) -> tuple[Buffers, list[int]]:
    """Returns buffers, and a list of the sizes of all new allocations."""
    taken: list[int] = []

    def take(size: int) -> memoryview:
        taken.append(size)
        return memoryview(bytearray(size))

    return Buffers(max_bytes, take), taken


def test_unused_buffers_are_freed() -> None:
    """Buffers lent since the last rest stay, and no more than necessary are freed."""
    buffers, taken = watched_buffers(2**20)

    def borrow(count: int) -> None:
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(buffers.lent(100_000))

    borrow(2)
    buffers.rest(0)
    borrow(1)
    assert len(taken) == 2
    buffers.rest(0)  # one of them was not lent since
    borrow(2)
    assert len(taken) == 3
    for _ in range(3):
        buffers.rest(200_000)  # room for one
    borrow(2)
    assert len(taken) == 4


def test_lent_buffers_displace_pooled_ones() -> None:
    """Their total is limited while any are pooled; lent buffers alone may exceed the limit."""
    buffers, taken = watched_buffers(2**20)
    with buffers.lent(2**18), buffers.lent(2**18), buffers.lent(2**19):
        pass
    with buffers.lent(2**17):  # for which the oldest goes, which came back first
        assert taken == [2**18, 2**18, 2**19, 2**17]
        with buffers.lent(2**18):
            assert len(taken) == 4
        with buffers.lent(2**19):
            assert len(taken) == 5
    with buffers.lent(2**20), buffers.lent(2**20):
        pass
    with buffers.lent(2**20):
        assert len(taken) == 7


def test_pooled_buffers_use_the_preferred_memory() -> None:
    """It is used while available, and not for buffers that are too long for the pool."""
    given: list[int] = []

    def give(size: int) -> memoryview | None:
        given.append(size)
        return None if len(given) > 1 else memoryview(bytearray(b"p" * size))

    buffers = Buffers(300_000, give)
    with buffers.lent(100_000) as first, buffers.lent(100_000) as second:
        assert bytes(first[:2]) == b"pp"
        second[:] = bytes(100_000)
    with buffers.lent(400_000), buffers.lent(100_000):
        assert given == [131_072, 131_072]


def test_threads_never_share_a_buffer() -> None:
    """Several threads borrow buffers at the same time."""
    buffers = Buffers(2**24)

    def borrow(number: int) -> bool:
        with buffers.lent(100_000) as memory:
            memory[:8] = memory[-8:] = number.to_bytes(8)
            time.sleep(0)
            return memory[:8] == memory[-8:] == number.to_bytes(8)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(borrow, range(4000)))


@pytest.mark.parametrize("size", [0, 5, 300_000])
@pytest.mark.parametrize("apart", [True, False])
def test_an_upgrade_request_keeps_its_body(port: int, size: int, apart: bool) -> None:
    """As with curl --http2, the body comes with the headers or later, and a request follows."""
    others = np.random.default_rng(1).bytes(max(size, 1))
    body = np.random.default_rng(2).bytes(size)
    wish = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    whole = request_bytes(body, *wish)
    with connect(port) as client:
        client.sendall(request_bytes(others))
        assert read_answer(client)[0].startswith(expected(others))
        client.sendall(whole[: len(whole) - size] if apart else whole)
        if apart and size:
            time.sleep(0.05)
            client.sendall(body)
        assert read_answer(client)[0].startswith(expected(body))
        client.sendall(request_bytes(b"next"))
        assert read_answer(client)[0].startswith(expected(b"next"))


def test_requests_are_freed_at_their_end(port: int) -> None:
    """They hold bodies and responses, so they must not wait for the garbage collector."""
    asked = 100
    with connect(port) as client:
        gc.collect()
        gc.disable()
        try:
            for _ in range(asked):
                client.sendall(request_bytes(b"x"))
                assert read_answer(client)[0].startswith(expected(b"x"))
            assert gc.collect() < asked
        finally:
            gc.enable()


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("begin", [b"", b"POST / HTTP/1.1\r\nHost:"])
def test_missing_headers_end_the_connection(
    port: int, begin: bytes, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds for the first and for later requests; an idle connection stays open longer."""
    monkeypatch.setattr("service.http.connection.PATIENCE_S", 0.2)
    with connect(port) as client:
        if used:
            client.sendall(request_bytes(b"x"))
            assert read_answer(client)[0].startswith(expected(b"x"))
        client.sendall(begin)
        if used and not begin:
            time.sleep(0.4)
            client.sendall(request_bytes(b"y"))
            assert read_answer(client)[0].startswith(expected(b"y"))
        else:
            assert client.recv(1000) == b""


def test_response_headers_are_sent_before_a_late_body(port: int) -> None:
    """Streams of events depend on this."""
    with connect(port) as client:
        client.sendall(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        client.sendall(b"ab")
        assert read_until(client, b"enough")


def test_an_unread_body_stays_with_the_client(port: int) -> None:
    """The kernel buffers only a part of it, and the response still arrives."""
    ANSWER.clear()
    length, part, sent = 2**28, bytes(2**20), 0
    head = f"POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    with connect(port) as client:
        client.sendall(head.encode())
        while select.select([], [client], [], 0.2)[1]:
            sent += client.send(part, socket.MSG_DONTWAIT)
        assert sent < length / 4
        ANSWER.set()
        assert read_until(client, b"enough")


def read_until(client: socket.socket, end: bytes) -> bool:
    """Returns whether bytes arrive."""
    got = b""
    while end not in got and (part := client.recv(1000)):
        got += part
    return end in got

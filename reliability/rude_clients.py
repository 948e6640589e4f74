"""Clients that are slow, rude or gone; each plays so many of itself for about so long.

They raise BreachError where the server does not give them what even they are owed.
"""

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reliability.server import Target
from reliability.valid_requests import features, inference_requests, localize_requests
from reliability.wire import Answer, Connection, Request, request

MODEL, CHANNELS = "small", 8
"""What the server has to serve."""
LIMIT_S = 10.0
"""Longest time that an answer may take."""
LEFT_BYTES = 128 * 2**20
"""Most that the server may have grown afterwards: it keeps 64 MiB of buffers for the next bodies,
the allocator some of what was freed."""
SHORT_TD, LONG_TD = features(2, CHANNELS), features(1500, CHANNELS)
_HUGE_TD = features(15_000, CHANNELS)
_QUEUED_BYTES = 32 * 2**20
"""Most that requests without bodies may take which nobody reads the answers of."""
_HELD_BYTES = 2 * 2**20
"""Of a client that does not read: an answer on its way, one that waits, and what it was made of."""
_LITTLE_BYTES = 4096
_PATIENCE_S = 75.0
_OTHER_FILES = 4
"""That the server may have opened meanwhile, for a witness, say. What it holds tells more than what
the clients see: a kernel that gives a connection up need not tell its other end."""
_RENEWED_S = 0.4
_BYTE_EVERY_S = 0.1
_RESET_EVERY_S = 0.01
_PIPELINED = 60
_MANY_WISHES = 1000

Scenario: TypeAlias = Callable[[Target, int, float], None]


class BreachError(Exception):
    """The server did what it must not do."""


def slow_heads(target: Target, clients: int, duration_s: float) -> None:
    """A byte of the head every 100 ms, and no end of it."""
    _drip(target, clients, duration_s, b"GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ")


def slow_bodies(target: Target, clients: int, duration_s: float) -> None:
    """The head at once, a byte of the body every 100 ms."""
    _drip(target, clients, duration_s, localize(LONG_TD).with_body(bytes(48_000)).encode()[:200])


def _drip(target: Target, clients: int, duration_s: float, start: bytes) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(target.port)) for _ in range(clients)]
        for connection in connections:
            connection.send(start)
        end_s = time.monotonic() + duration_s
        while connections and time.monotonic() < end_s:
            connections = [one for one in connections if _takes(one, b"x")]
            time.sleep(_BYTE_EVERY_S)


def _takes(connection: Connection, data: bytes) -> bool:
    try:
        connection.send(data)
    except OSError:  # the server's patience was at an end, which is its right
        return False
    return True


def half_closed(target: Target, clients: int, duration_s: float) -> None:
    """A client that closes its side after its request: it counts as one that left."""
    asked = localize(SHORT_TD)
    expected = found_in(ask(target, asked))
    end_s = time.monotonic() + duration_s
    for _ in range(clients):
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(asked.encode())
            connection.finish()
            with suppress(OSError):  # unless the answer was quicker
                _expect(found_in(connection.answer()) == expected, "another answer")
            _expect(connection.is_ended(), "more than an answer")
        if time.monotonic() > end_s:
            return


def resets(target: Target, clients: int, duration_s: float) -> None:
    """Clients that crash within their request, and within the answer."""
    data = localize(LONG_TD, "?include=cas").encode()
    end_s = time.monotonic() + duration_s
    for number in range(clients):
        connection = Connection(target.port, timeout_s=LIMIT_S)
        with suppress(OSError):
            connection.send(data[: len(data) * (number % 7) // 6])
            if number % 3 == 0:
                connection.send(data)
        connection.reset()
        time.sleep(_RESET_EVERY_S)
        if time.monotonic() > end_s:
            return


def pipelined(target: Target, clients: int, duration_s: float) -> None:
    """Many requests at once, of different kinds; each gets its own answer, in order."""
    kinds = [*_forms(), request("GET", "/health/live"), request("GET", "/models/none"),
             request("POST", "/localize", b"{", Content_Type="application/json")]  # fmt: skip
    end_s = time.monotonic() + duration_s
    for _ in range(clients):
        asked = [
            kinds[number % len(kinds)].with_header(b"X-Request-ID", b"number %d" % number)
            for number in range(_PIPELINED)
        ]
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(b"".join(one.encode() for one in asked))
            came = [connection.answer().headers["x-request-id"] for _ in asked]
        _expect(came == [f"number {n}" for n in range(_PIPELINED)], f"in the order {came}")
        if time.monotonic() > end_s:
            return


def split_anywhere(target: Target, clients: int, duration_s: float) -> None:
    """A request that comes in two parts, wherever it is parted, and byte by byte."""
    asked = _forms()
    expected = [found_in(ask(target, one)) for one in asked]
    end_s = time.monotonic() + duration_s
    for one, found in list(zip(asked, expected, strict=True))[:clients]:
        data = one.encode()
        parted = [[data[:place], data[place:]] for place in range(1, len(data))]
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            for parts in [*parted, [bytes((byte,)) for byte in data]]:
                for part in parts:
                    connection.send(part)
                    time.sleep(0)  # lets the server read what is there
                found_now = found_in(connection.answer())
                _expect(found_now == found, f"parted after {len(parts[0])} bytes: {found_now}")
        if time.monotonic() > end_s:
            return


def idle(target: Target, clients: int, duration_s: float) -> None:
    """Connections that say nothing, some of them after a request."""
    end_s = time.monotonic() + duration_s
    with ExitStack() as stack:
        for number in range(clients):
            connection = stack.enter_context(Connection(target.port, timeout_s=LIMIT_S))
            if number % 2:
                connection.ask(request("GET", "/health/live"))
        time.sleep(max(end_s - time.monotonic(), 0))


def unread(target: Target, clients: int, duration_s: float) -> None:
    """Clients that ask for long answers and never read them."""
    data = localize(_HUGE_TD, "?include=cas&max_segments=1").encode()
    _never_read(target, clients, duration_s, data, LEFT_BYTES)


def unread_pipeline(target: Target, clients: int, duration_s: float) -> None:
    """Clients that ask on and on and never read."""
    data = request("GET", "/health/live").encode() * 500
    _never_read(target, clients, duration_s, data, _QUEUED_BYTES)


def _never_read(
    target: Target, clients: int, duration_s: float, data: bytes, most_bytes: int
) -> None:
    """Sends as much as the server takes; what that costs it is bounded."""
    before, end_s = target.state(), time.monotonic() + duration_s
    with ExitStack() as stack:
        left = {}
        for _ in range(clients):
            one = stack.enter_context(_deaf_socket(target))
            one.setblocking(False)
            left[one] = data
        while time.monotonic() < end_s:
            for one in list(left):
                try:
                    left[one] = left[one][one.send(left[one]) :] or data
                except BlockingIOError:
                    continue
                except OSError:  # it was ended, as it should be
                    del left[one]
            grown = target.state().rss_bytes - before.rss_bytes
            most_grown = most_bytes + clients * _HELD_BYTES
            _expect(grown < most_grown, f"{clients} clients took {grown} bytes")
            time.sleep(0.001)


def _deaf_socket(target: Target) -> socket.socket:
    """Returns a connection whose kernel takes hardly anything."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LITTLE_BYTES)
    deaf.connect(("127.0.0.1", target.port))
    return deaf


def announced_bodies(target: Target, clients: int, duration_s: float) -> None:
    """Clients that announce the longest of bodies, send nothing of it, and come again."""
    head = b"POST /localize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    heads = (
        head + b"Transfer-Encoding: chunked\r\n\r\n",
        head + b"Content-Length: 67108864\r\n\r\n",
    )
    end_s = time.monotonic() + duration_s
    while time.monotonic() < end_s:
        with ExitStack() as stack:
            for number in range(clients):
                connection = stack.enter_context(Connection(target.port, timeout_s=LIMIT_S))
                connection.send(heads[number % len(heads)])
            time.sleep(_RENEWED_S)


def never_ended(target: Target, clients: int, duration_s: float) -> None:
    """Connections that get nowhere have to be ended within a minute or so, not held for ever."""
    starts = {
        "says nothing": b"",
        "half a head": b"GET /health HTTP/1.1\r\nHost:",
        "half a body": localize(SHORT_TD).encode()[:-8],
        "does not read": localize(_HUGE_TD, "?include=cas&max_segments=1").encode(),
    }
    files = target.state().files
    with ExitStack() as stack:
        opened = {name: [stack.enter_context(_deaf_socket(target)) for _ in range(clients)]
                  for name in starts}  # fmt: skip
        for name, sockets in opened.items():
            for one in sockets:
                one.sendall(starts[name])
        time.sleep(max(duration_s, _PATIENCE_S))
        held = target.state().files - files - _OTHER_FILES
    _expect(held <= 0, f"after {max(duration_s, _PATIENCE_S):.0f} s some {held} of them are held")


def upgrades(target: Target, clients: int, duration_s: float) -> None:
    """A wish for HTTP/2, as curl --http2 has it, may be left unheard but not lose the body."""
    asked, others = localize(features(2, CHANNELS, seed=1)), localize(SHORT_TD)
    expected, foreign = found_in(ask(target, asked)), found_in(ask(target, others))
    hidden = _wishing(asked.with_body(request("GET", "/models").encode())).encode()
    body_at = hidden.index(b"\r\n\r\n") + 4
    many = _wishing(request("GET", "/health/live")).encode() * _MANY_WISHES
    end_s = time.monotonic() + duration_s
    for _ in range(clients):
        ask(target, others)  # what is left of it in the server's memory is nobody else's
        found = found_in(ask(target, _wishing(asked)))
        _expect(found != foreign, "what was found in another client's features")
        _expect(found == expected, f"another answer: {found}")
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(hidden[:body_at])
            time.sleep(_BYTE_EVERY_S)
            with suppress(OSError):
                connection.send(hidden[body_at:])
                connection.finish()
                connection.answer()
                _expect(connection.answer().status >= 400, "a body was taken for a request")
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(many)
            for _ in range(_MANY_WISHES):
                _expect(connection.answer().status == 200, "no answer to one of many")
        if time.monotonic() > end_s:
            return


def _wishing(asked: Request) -> Request:
    wishing = asked.with_header(b"Connection", b"Upgrade, HTTP2-Settings")
    return wishing.with_header(b"Upgrade", b"h2c").with_header(b"HTTP2-Settings", b"AAMAAABk")


def garbage_after(target: Target, clients: int, duration_s: float) -> None:
    """What is no HTTP behind a request; that request gets its answer nevertheless."""
    asked = localize(SHORT_TD)
    expected = found_in(ask(target, asked))
    end_s = time.monotonic() + duration_s
    for _ in range(clients):
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(asked.encode() + b"\x00\x01\x02\r\n\r\n")
            _expect(found_in(connection.answer()) == expected, "another answer")
        if time.monotonic() > end_s:
            return


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (slow_heads, slow_bodies, half_closed, resets, pipelined, split_anywhere, idle,
                     unread, unread_pipeline, announced_bodies, upgrades, garbage_after)
}  # fmt: skip
"""Those that take any time that is given to them, by name."""
HEAVY_SCENARIOS = SCENARIOS | {"never_ended": never_ended}
"""Those that take minutes, too."""


def localize(features_TD: NDArray[np.float32], query: str = "") -> Request:
    """Returns a right request."""
    asked = localize_requests(features_TD)["raw"]
    return Request(asked.method, asked.path + query.encode(), asked.headers, asked.body)


def _forms() -> list[Request]:
    return [*localize_requests(SHORT_TD).values(), *inference_requests(SHORT_TD, MODEL).values()]


def ask(target: Target, asked: Request) -> Answer:
    """Returns the answer to a request on a connection of its own."""
    with Connection(target.port, timeout_s=LIMIT_S) as connection:
        return connection.ask(asked)


def found_in(answer: Answer) -> object:
    """Returns what an answer tells, without the time that it took."""
    if answer.media_type != "application/json":
        return answer.status, answer.body
    told = json.loads(answer.body)
    return answer.status, {name: told[name] for name in told if name != "timing_ms"}


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise BreachError(otherwise)

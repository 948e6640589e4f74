"""Clients that hold on: slow ones, idle ones, and such as never read or never end.

Each plays so many of itself for about so long, and raises BreachError where that costs the server
too much.
"""

import socket
import time
from contextlib import ExitStack

from reliability.asking import (
    CHANNELS,
    LIMIT_S,
    LONG_TD,
    SHORT_TD,
    expect,
    localize,
)
from reliability.server import Target
from reliability.valid_requests import features
from reliability.wire import Connection, request

LEFT_BYTES = 128 * 2**20
"""Most that the server may have grown afterwards: it keeps 64 MiB of buffers for the next bodies,
the allocator some of what was freed."""
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
            expect(grown < most_grown, f"{clients} clients took {grown} bytes")
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
    expect(held <= 0, f"after {max(duration_s, _PATIENCE_S):.0f} s some {held} of them are held")

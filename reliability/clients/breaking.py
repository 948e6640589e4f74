"""Clients that break off, and clients that split, mix or garble what they send.

Each scenario plays a number of clients for about a number of seconds. It raises BreachError if
the server does not give them what it owes even to such clients.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

from reliability.clients.scenario import (
    CHANNELS,
    LIMIT_S,
    LONG_TD,
    SHORT_TD,
    content_of,
    expect,
    forms,
    localize,
    send,
)
from reliability.messages.valid_requests import features
from reliability.messages.wire import Connection, Request, make_request
from reliability.server import Target

_RESET_EVERY_S = 0.01
_BODY_AFTER_S = 0.1
_PIPELINED = 60
_MANY_UPGRADES = 1000


def half_closed(target: Target, clients: int, duration_s: float) -> None:
    """Closes the sending side after the request; such a client counts as disconnected."""
    request = localize(SHORT_TD)
    expected = content_of(send(target, request))
    for _ in _in_time(clients, duration_s):
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(request.encode())
            connection.finish()
            with suppress(OSError):  # unless the response came before the close
                expect(content_of(connection.response()) == expected, "a different response")
            expect(connection.is_ended(), "more bytes than one response")


def resets(target: Target, clients: int, duration_s: float) -> None:
    """Crashes within the request, and within the response."""
    data = localize(LONG_TD, "?include=cas").encode()
    for number in _in_time(clients, duration_s):
        connection = Connection(target.port, timeout_s=LIMIT_S)
        with suppress(OSError):
            connection.send(data[: len(data) * (number % 7) // 6])
            if number % 3 == 0:
                connection.send(data)
        connection.reset()
        time.sleep(_RESET_EVERY_S)


def pipelined(target: Target, clients: int, duration_s: float) -> None:
    """Sends many requests of different kinds at once; each gets its own response, in order."""
    kinds = [*forms(), make_request("GET", "/health/live"), make_request("GET", "/models/none"),
             make_request("POST", "/localize", b"{", Content_Type="application/json")]  # fmt: skip
    for _ in _in_time(clients, duration_s):
        requests = [
            kinds[number % len(kinds)].with_header(b"X-Request-ID", b"number %d" % number)
            for number in range(_PIPELINED)
        ]
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(b"".join(request.encode() for request in requests))
            ids = [connection.response().headers["x-request-id"] for _ in requests]
        expect(ids == [f"number {n}" for n in range(_PIPELINED)], f"responses in the order {ids}")


def split_anywhere(target: Target, clients: int, duration_s: float) -> None:
    """Sends a request in two parts, split at every byte in turn, and then byte by byte."""
    requests = forms()
    expected = [content_of(send(target, request)) for request in requests]
    for number in _in_time(min(clients, len(requests)), duration_s):
        data = requests[number].encode()
        halves = [[data[:place], data[place:]] for place in range(1, len(data))]
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            for parts in [*halves, [bytes((byte,)) for byte in data]]:
                for part in parts:
                    connection.send(part)
                    time.sleep(0)  # gives the server a chance to read this part alone
                content = content_of(connection.response())
                message = f"split after {len(parts[0])} bytes: {content}"
                expect(content == expected[number], message)


def upgrades(target: Target, clients: int, duration_s: float) -> None:
    """Asks to upgrade to HTTP/2, as `curl --http2` does; the server may ignore that.

    The body must not be lost, and must not be read as a request.
    """
    request, other = localize(features(2, CHANNELS, seed=1)), localize(SHORT_TD)
    expected, foreign = content_of(send(target, request)), content_of(send(target, other))
    hidden = _upgrade(request.with_body(make_request("GET", "/models").encode())).encode()
    many = _upgrade(make_request("GET", "/health/live")).encode() * _MANY_UPGRADES
    for _ in _in_time(clients, duration_s):
        send(target, other)  # its features may remain in the server's buffers
        content = content_of(send(target, _upgrade(request)))
        expect(content != foreign, "a response computed from another client's features")
        expect(content == expected, f"a different response: {content}")
        _send_hidden(target, hidden)
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(many)
            for _ in range(_MANY_UPGRADES):
                expect(connection.response().status == 200, "no response to one of many requests")


def _send_hidden(target: Target, hidden: bytes) -> None:
    """Sends a body that looks like a request; the server must not answer it."""
    body_at = hidden.index(b"\r\n\r\n") + 4
    with Connection(target.port, timeout_s=LIMIT_S) as connection:
        connection.send(hidden[:body_at])
        time.sleep(_BODY_AFTER_S)
        with suppress(OSError):
            connection.send(hidden[body_at:])
            connection.finish()
            connection.response()
            expect(connection.response().status >= 400, "a body was read as a request")


def _upgrade(request: Request) -> Request:
    upgrade = request.with_header(b"Connection", b"Upgrade, HTTP2-Settings")
    return upgrade.with_header(b"Upgrade", b"h2c").with_header(b"HTTP2-Settings", b"AAMAAABk")


def garbage_after(target: Target, clients: int, duration_s: float) -> None:
    """Sends bytes that are not HTTP after a request; that request still gets its response."""
    request = localize(SHORT_TD)
    expected = content_of(send(target, request))
    for _ in _in_time(clients, duration_s):
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(request.encode() + b"\x00\x01\x02\r\n\r\n")
            expect(content_of(connection.response()) == expected, "a different response")


def _in_time(clients: int, duration_s: float) -> Iterator[int]:
    """Yields the number of each client until the time is up, and at least the first."""
    end_s = time.monotonic() + duration_s
    for number in range(clients):
        yield number
        if time.monotonic() > end_s:
            return

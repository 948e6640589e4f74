"""Clients that break off, and such as part, mix or garble what they send.

Each plays so many of itself for about so long, and raises BreachError where the server does not
give it what even it is owed.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

from reliability.asking import (
    CHANNELS,
    LIMIT_S,
    LONG_TD,
    SHORT_TD,
    ask,
    expect,
    forms,
    found_in,
    localize,
)
from reliability.server import Target
from reliability.valid_requests import features
from reliability.wire import Connection, Request, request

_RESET_EVERY_S = 0.01
_BODY_AFTER_S = 0.1
_PIPELINED = 60
_MANY_WISHES = 1000


def half_closed(target: Target, clients: int, duration_s: float) -> None:
    """A client that closes its side after its request: it counts as one that left."""
    asked = localize(SHORT_TD)
    expected = found_in(ask(target, asked))
    for _ in _in_time(clients, duration_s):
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(asked.encode())
            connection.finish()
            with suppress(OSError):  # unless the answer was quicker
                expect(found_in(connection.answer()) == expected, "another answer")
            expect(connection.is_ended(), "more than an answer")


def resets(target: Target, clients: int, duration_s: float) -> None:
    """Clients that crash within their request, and within the answer."""
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
    """Many requests at once, of different kinds; each gets its own answer, in order."""
    kinds = [*forms(), request("GET", "/health/live"), request("GET", "/models/none"),
             request("POST", "/localize", b"{", Content_Type="application/json")]  # fmt: skip
    for _ in _in_time(clients, duration_s):
        asked = [
            kinds[number % len(kinds)].with_header(b"X-Request-ID", b"number %d" % number)
            for number in range(_PIPELINED)
        ]
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(b"".join(one.encode() for one in asked))
            came = [connection.answer().headers["x-request-id"] for _ in asked]
        expect(came == [f"number {n}" for n in range(_PIPELINED)], f"in the order {came}")


def split_anywhere(target: Target, clients: int, duration_s: float) -> None:
    """A request that comes in two parts, wherever it is parted, and byte by byte."""
    asked = forms()
    expected = [found_in(ask(target, one)) for one in asked]
    for number in _in_time(min(clients, len(asked)), duration_s):
        data, found = asked[number].encode(), expected[number]
        parted = [[data[:place], data[place:]] for place in range(1, len(data))]
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            for parts in [*parted, [bytes((byte,)) for byte in data]]:
                for part in parts:
                    connection.send(part)
                    time.sleep(0)  # lets the server read what is there
                found_now = found_in(connection.answer())
                expect(found_now == found, f"parted after {len(parts[0])} bytes: {found_now}")


def upgrades(target: Target, clients: int, duration_s: float) -> None:
    """A wish for HTTP/2, as curl --http2 has it, may be left unheard but not lose the body."""
    asked, others = localize(features(2, CHANNELS, seed=1)), localize(SHORT_TD)
    expected, foreign = found_in(ask(target, asked)), found_in(ask(target, others))
    hidden = _wishing(asked.with_body(request("GET", "/models").encode())).encode()
    body_at = hidden.index(b"\r\n\r\n") + 4
    many = _wishing(request("GET", "/health/live")).encode() * _MANY_WISHES
    for _ in _in_time(clients, duration_s):
        ask(target, others)  # what is left of it in the server's memory is nobody else's
        found = found_in(ask(target, _wishing(asked)))
        expect(found != foreign, "what was found in another client's features")
        expect(found == expected, f"another answer: {found}")
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(hidden[:body_at])
            time.sleep(_BODY_AFTER_S)
            with suppress(OSError):
                connection.send(hidden[body_at:])
                connection.finish()
                connection.answer()
                expect(connection.answer().status >= 400, "a body was taken for a request")
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(many)
            for _ in range(_MANY_WISHES):
                expect(connection.answer().status == 200, "no answer to one of many")


def _wishing(asked: Request) -> Request:
    wishing = asked.with_header(b"Connection", b"Upgrade, HTTP2-Settings")
    return wishing.with_header(b"Upgrade", b"h2c").with_header(b"HTTP2-Settings", b"AAMAAABk")


def garbage_after(target: Target, clients: int, duration_s: float) -> None:
    """What is no HTTP behind a request; that request gets its answer nevertheless."""
    asked = localize(SHORT_TD)
    expected = found_in(ask(target, asked))
    for _ in _in_time(clients, duration_s):
        with Connection(target.port, timeout_s=LIMIT_S) as connection:
            connection.send(asked.encode() + b"\x00\x01\x02\r\n\r\n")
            expect(found_in(connection.answer()) == expected, "another answer")


def _in_time(clients: int, duration_s: float) -> Iterator[int]:
    """Yields the number of each client as long as there is time, and of the first in any case."""
    end_s = time.monotonic() + duration_s
    for number in range(clients):
        yield number
        if time.monotonic() > end_s:
            return

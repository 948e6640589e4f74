"""Clients that hold connections: slow ones, idle ones, and clients that never read or never end.

Each scenario plays a number of clients for about a number of seconds. It raises BreachError if
the clients cost the server too much.
"""

import selectors
import socket
import time
from contextlib import ExitStack

from reliability.clients.scenario import (
    CHANNELS,
    LIMIT_S,
    LONG_TD,
    SHORT_TD,
    expect,
    localize,
)
from reliability.messages.valid_requests import features
from reliability.messages.wire import Connection, make_request
from reliability.server import Target
from service.http.admission import UPLOAD_BYTES

LEFT_BYTES = 128 * 2**20
"""Most bytes by which the server may have grown afterwards. It keeps 64 MiB of buffers for the next
bodies, and the allocator keeps some of the freed memory."""
_HUGE_TD = features(15_000, CHANNELS)
_QUEUED_BYTES = 32 * 2**20
"""Memory limit for requests without bodies whose responses are never read."""
_HELD_BYTES = 2 * 2**20
"""Memory of one client that does not read: two responses, and the data of one of them."""
_LITTLE_BYTES = 4096
_MOST_UPLOADS = 100
"""Forms that the server receives at once; the default of `max_uploads`."""
_REFUSED = (b"503", b"408")
"""Statuses of a form: no room for it, or too slow."""
_PATIENCE_S = 75.0
_OTHER_FILES = 4
"""Files that the server may have opened meanwhile, for example for a witness. Files are counted on
the server, because a client is not always notified when the kernel gives up a connection."""
_RENEWED_S = 0.4
_BYTE_EVERY_S = 0.1


def slow_heads(target: Target, clients: int, duration_s: float) -> None:
    """Sends one byte of the headers every 100 ms, without end."""
    _drip(target, clients, duration_s, b"GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ")


def slow_bodies(target: Target, clients: int, duration_s: float) -> None:
    """Sends the headers at once, then one byte of the body every 100 ms."""
    _drip(target, clients, duration_s, localize(LONG_TD).with_body(bytes(48_000)).encode()[:200])


def _drip(target: Target, clients: int, duration_s: float, start: bytes) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(target.port)) for _ in range(clients)]
        for connection in connections:
            connection.send(start)
        end_s = time.monotonic() + duration_s
        while connections and time.monotonic() < end_s:
            connections = [one for one in connections if _accepts(one, b"x")]
            time.sleep(_BYTE_EVERY_S)


def _accepts(connection: Connection, data: bytes) -> bool:
    try:
        connection.send(data)
    except OSError:  # the server closed the connection, which it may do
        return False
    return True


def idle(target: Target, clients: int, duration_s: float) -> None:
    """Holds silent connections, half of them after a request."""
    end_s = time.monotonic() + duration_s
    with ExitStack() as stack:
        for number in range(clients):
            connection = stack.enter_context(Connection(target.port, timeout_s=LIMIT_S))
            if number % 2:
                connection.exchange(make_request("GET", "/health/live"))
        time.sleep(max(end_s - time.monotonic(), 0))


def unread(target: Target, clients: int, duration_s: float) -> None:
    """Requests long responses and never reads them."""
    data = localize(_HUGE_TD, "?include=cas&max_segments=1").encode()
    _never_read(target, clients, duration_s, data, LEFT_BYTES)


def unread_pipeline(target: Target, clients: int, duration_s: float) -> None:
    """Sends requests without end and never reads the responses."""
    data = make_request("GET", "/health/live").encode() * 500
    _never_read(target, clients, duration_s, data, _QUEUED_BYTES)


def _never_read(
    target: Target, clients: int, duration_s: float, data: bytes, most_bytes: int
) -> None:
    """Sends as much as the server accepts; its memory must stay within a limit."""
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
                except OSError:  # the server closed the connection, as it should
                    del left[one]
            grown = target.state().rss_bytes - before.rss_bytes
            most_grown = most_bytes + clients * _HELD_BYTES
            expect(grown < most_grown, f"{clients} clients cost {grown} bytes of memory")
            time.sleep(0.001)


def _deaf_socket(target: Target) -> socket.socket:
    """Returns a connection with a tiny receive buffer."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LITTLE_BYTES)
    deaf.connect(("127.0.0.1", target.port))
    return deaf


def announced_bodies(target: Target, clients: int, duration_s: float) -> None:
    """Announces bodies of the greatest length, sends none of them, and reconnects."""
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


def forms_at_once(target: Target, clients: int, duration_s: float) -> None:
    """Announces forms of 40 MiB and sends 1 MiB of each; most are refused before the body."""
    head = (
        b"POST /localize HTTP/1.1\r\nHost: a\r\nContent-Length: 41943040\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        b'Content-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    )
    before, end_s = target.state(), time.monotonic() + duration_s
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(clients):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", target.port)))
            selector.register(one, selectors.EVENT_READ)
            one.sendall(head + bytes(2**20))
        while time.monotonic() < end_s or len(selector.get_map()) > _MOST_UPLOADS:
            for key, _ in selector.select(timeout=1):
                status = key.fileobj.recv(12)[-3:]  # type: ignore[union-attr] # a socket
                expect(status in _REFUSED, f"a form got the status {status!r}")
                selector.unregister(key.fileobj)
            waits_s = time.monotonic() - end_s
            expect(waits_s < _PATIENCE_S, f"{len(selector.get_map())} forms are received at once")
        grown = target.state().rss_bytes - before.rss_bytes
    expect(grown < _MOST_UPLOADS * UPLOAD_BYTES, f"{clients} forms cost {grown} bytes of memory")


def never_ended(target: Target, clients: int, duration_s: float) -> None:
    """Holds connections that make no progress; the server must close them after about a minute."""
    starts = {
        "silent": b"",
        "half the headers": b"GET /health HTTP/1.1\r\nHost:",
        "half the body": localize(SHORT_TD).encode()[:-8],
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
    expect(held <= 0, f"{held} connections are open after {max(duration_s, _PATIENCE_S):.0f} s")

"""Load by clients in a closed loop: each sends its next request when it has the response.

A client is a thread with one kept-alive connection. It passes prebuilt bytes to the kernel and
reads the response into one buffer. The interpreter's lock is free meanwhile, so the cost of a
client is the copying by the kernel.
"""

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

WARM_S: Final = 1.0
"""Time under load before the window starts."""
FEWEST_RESPONSES: Final = 20
"""Smallest number of responses in a window, so that one more or less matters little."""
PATIENCE_S: Final = 30.0
"""Length of the longest window."""
DRAIN_S: Final = 5.0
"""Time for the remaining requests after the window, before their connections are closed."""
REFUSALS: Final = (429, 503)
"""Statuses of a server that is too busy."""
_TICK_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Response:
    """Response to one request."""

    status: int
    """HTTP status."""
    content: bytes
    """Body of the response."""
    headers: dict[str, str]
    """Headers by lower-case name."""


@dataclass(frozen=True, slots=True)
class Window:
    """Measurement of a server under one load."""

    seconds: float
    """Length of the window in seconds."""
    latencies_ms: tuple[float, ...]
    """Latencies of the requests that were sent under full load and answered in the window."""
    done: int
    """Number of responses with status 200 in the window."""
    refused: int
    """Number of responses with status 429 or 503 in the window."""
    failed: int
    """Number of requests with another status, or without a response."""
    load_cpu_s: float
    """CPU time of the clients, and of measuring memory, in the window."""

    @property
    def rate(self) -> float:
        """Number of requests per second with status 200."""
        return self.done / self.seconds

    def percentile_ms(self, share: float) -> float | None:
        """Returns the latency that `share` percent of the requests do not exceed."""
        return float(np.percentile(self.latencies_ms, share)) if self.latencies_ms else None


def request_bytes(body: bytes, headers: dict[str, str]) -> bytes:
    """Returns the bytes of POST /localize."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = ["POST /localize HTTP/1.1", "Host: 127.0.0.1", *lines, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


class Connection:
    """Connection of a client, opened again after the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._buffer = bytearray(1024 * 1024)

    def send(self, request: bytes) -> Response:
        """Sends a request and returns the response.

        Raises:
            OSError: there is no connection, or it was closed before the response.
        """
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
        try:
            self._write(self._socket, request)
            response = self._receive(self._socket)
        except OSError:
            self.close()
            raise
        if response.headers.get("connection", "").lower() == "close":
            self.close()
        return response

    def close(self) -> None:
        """Closes the connection, even if another thread is waiting on it."""
        if self._socket is not None:
            closing, self._socket = self._socket, None
            with contextlib.suppress(OSError):  # the server may have closed it before
                closing.shutdown(socket.SHUT_RDWR)
            closing.close()

    @staticmethod
    def _write(connection: socket.socket, request: bytes) -> None:
        # A server that refuses a request may respond and close before it has read the whole body.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)

    def _receive(self, connection: socket.socket) -> Response:
        view, length, head_end = memoryview(self._buffer), 0, -1
        while head_end < 0:
            length += self._more(connection, view[length:])
            head_end = self._buffer.find(b"\r\n\r\n", 0, length)
        first, *lines = bytes(view[:head_end]).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in
                   (line.partition(":") for line in lines)}  # fmt: skip
        end = head_end + 4 + int(headers["content-length"])
        while length < end:
            length += self._more(connection, view[length:end])
        return Response(int(first.split()[1]), bytes(view[head_end + 4 : end]), headers)

    @staticmethod
    def _more(connection: socket.socket, rest: memoryview) -> int:
        received = connection.recv_into(rest)
        if not received:
            raise ConnectionResetError("the server closed the connection before the response")
        return received


@dataclass(slots=True)
class _Client:
    """One client, and the requests that it has sent."""

    connection: Connection
    request: bytes
    over: threading.Event
    history: list[tuple[float, float, int]] = field(default_factory=list)
    """Start, end and status of each request; status 0 if there was no response."""

    def run(self) -> None:
        while not self.over.is_set():
            start_s = time.perf_counter()
            pause_s = 0.0
            try:
                response = self.connection.send(self.request)
                status = response.status
                if status in REFUSALS:
                    pause_s = float(response.headers.get("retry-after", 0.1))
            except OSError:
                status, pause_s = 0, 0.1
            self.history.append((start_s, time.perf_counter(), status))
            self.over.wait(pause_s)


def drive(
    port: int, request: bytes, clients: int, seconds: float, watch: Callable[[], None]
) -> Window:
    """Returns the measurement of a server under the load of some clients.

    Args:
        port: port of the server.
        request: request that each client sends, again and again.
        clients: number of clients.
        seconds: shortest length of the window.
        watch: is called several times per second during the window.
    """
    over = threading.Event()
    crowd = [_Client(Connection(port), request, over) for _ in range(clients)]
    threads = [threading.Thread(target=client.run, daemon=True) for client in crowd]
    for thread in threads:
        thread.start()
    time.sleep(WARM_S)
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    while not _enough(crowd, start_s, seconds):
        watch()
        time.sleep(_TICK_S)
    end_s, cpu_s = time.perf_counter(), time.process_time() - start_cpu_s
    over.set()
    _drain(crowd, threads)
    return _window(crowd, start_s, end_s, cpu_s)


def _enough(crowd: list[_Client], start_s: float, seconds: float) -> bool:
    elapsed_s = time.perf_counter() - start_s
    if elapsed_s < seconds or elapsed_s > PATIENCE_S:
        return elapsed_s > PATIENCE_S
    responses = sum(end_s > start_s for client in crowd for _, end_s, _ in client.history)
    return responses >= FEWEST_RESPONSES and all(len(client.history) > 1 for client in crowd)


def _drain(crowd: list[_Client], threads: list[threading.Thread]) -> None:
    deadline_s = time.perf_counter() + DRAIN_S
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.perf_counter()))
    for client, thread in zip(crowd, threads, strict=True):
        client.connection.close()
        thread.join()


def _window(crowd: list[_Client], start_s: float, end_s: float, cpu_s: float) -> Window:
    inside = [row for client in crowd for row in client.history if start_s < row[1] <= end_s]
    # The first request of a client does not count, because the queue is still filling.
    steady = [row for client in crowd for row in client.history[1:] if start_s < row[1] <= end_s]
    statuses = Counter(status for _, _, status in inside)
    refused = sum(statuses[status] for status in REFUSALS)
    return Window(
        seconds=end_s - start_s,
        latencies_ms=tuple(
            1e3 * (response_s - request_s)
            for request_s, response_s, status in steady
            if status == 200
        ),
        done=statuses[200],
        refused=refused,
        failed=len(inside) - statuses[200] - refused,
        load_cpu_s=cpu_s,
    )

"""Clients that ask as fast as they are answered: closed loop, one connection each, kept open.

A client is a thread that hands prebuilt bytes to the kernel and reads the answer into one buffer;
the interpreter's lock is free meanwhile, so what it costs is the kernel's copying.
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
"""Before anything counts."""
FEWEST_ANSWERS: Final = 20
"""A window goes on until there are so many, so that one more or less matters little."""
PATIENCE_S: Final = 30.0
"""Longest window."""
DRAIN_S: Final = 5.0
"""How long requests under way may take after it; then their connections are closed."""
REFUSALS: Final = (429, 503)
_TICK_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one request."""

    status: int
    """Of HTTP."""
    content: bytes
    """The body."""
    headers: dict[str, str]
    """By lower-case name."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a server did under one load."""

    seconds: float
    """How long it was watched."""
    latencies_ms: tuple[float, ...]
    """Of requests that were begun under the full load and answered in the window."""
    done: int
    """Answered with 200 in the window."""
    refused: int
    """Answered with 429 or 503 in the window: too busy."""
    failed: int
    """Answered otherwise, or not at all."""
    load_cpu_s: float
    """CPU time that the clients, and who watches memory, took in the window."""

    @property
    def rate(self) -> float:
        """Requests done a second."""
        return self.done / self.seconds

    def percentile_ms(self, share: float) -> float | None:
        """Returns the latency that this share of requests, in percent, does not exceed."""
        return float(np.percentile(self.latencies_ms, share)) if self.latencies_ms else None


def request_bytes(body: bytes, headers: dict[str, str]) -> bytes:
    """Returns POST /localize as it goes to the socket."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = ["POST /localize HTTP/1.1", "Host: 127.0.0.1", *lines, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


class Connection:
    """A client's connection, opened anew when the server ended it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._buffer = bytearray(1024 * 1024)

    def ask(self, request: bytes) -> Answer:
        """Sends a request and returns its answer.

        Raises:
            OSError: no connection, or it ended before the answer.
        """
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
        try:
            self._send(self._socket, request)
            answer = self._receive(self._socket)
        except OSError:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Ends the connection, also under a thread that waits on it."""
        if self._socket is not None:
            ended, self._socket = self._socket, None
            with contextlib.suppress(OSError):  # it may have ended before
                ended.shutdown(socket.SHUT_RDWR)
            ended.close()

    @staticmethod
    def _send(connection: socket.socket, request: bytes) -> None:
        # A server that refuses may answer, and hang up, before it has all of the body.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)

    def _receive(self, connection: socket.socket) -> Answer:
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
        return Answer(int(first.split()[1]), bytes(view[head_end + 4 : end]), headers)

    @staticmethod
    def _more(connection: socket.socket, rest: memoryview) -> int:
        received = connection.recv_into(rest)
        if not received:
            raise ConnectionResetError("the server ended the connection before its answer")
        return received


@dataclass(slots=True)
class _Client:
    """One client and what it saw."""

    connection: Connection
    request: bytes
    over: threading.Event
    seen: list[tuple[float, float, int]] = field(default_factory=list)
    """Begin, end and status of its requests; 0 where there was no answer."""

    def run(self) -> None:
        while not self.over.is_set():
            began_s = time.perf_counter()
            pause_s = 0.0
            try:
                answer = self.connection.ask(self.request)
                status = answer.status
                if status in REFUSALS:
                    pause_s = float(answer.headers.get("retry-after", 0.1))
            except OSError:
                status, pause_s = 0, 0.1
            self.seen.append((began_s, time.perf_counter(), status))
            self.over.wait(pause_s)


def drive(
    port: int, request: bytes, clients: int, seconds: float, watch: Callable[[], None]
) -> Window:
    """Returns what a server did under the load of some clients.

    Args:
        port: of the server.
        request: what each client sends, again and again.
        clients: how many there are.
        seconds: how long the window is, at least.
        watch: called several times a second meanwhile.
    """
    over = threading.Event()
    crowd = [_Client(Connection(port), request, over) for _ in range(clients)]
    threads = [threading.Thread(target=client.run, daemon=True) for client in crowd]
    for thread in threads:
        thread.start()
    time.sleep(WARM_S)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    while not _enough(crowd, began_s, seconds):
        watch()
        time.sleep(_TICK_S)
    ended_s, cpu_s = time.perf_counter(), time.process_time() - began_cpu_s
    over.set()
    _drain(crowd, threads)
    return _window(crowd, began_s, ended_s, cpu_s)


def _enough(crowd: list[_Client], began_s: float, seconds: float) -> bool:
    elapsed_s = time.perf_counter() - began_s
    if elapsed_s < seconds or elapsed_s > PATIENCE_S:
        return elapsed_s > PATIENCE_S
    answers = sum(end_s > began_s for client in crowd for _, end_s, _ in client.seen)
    return answers >= FEWEST_ANSWERS and all(len(client.seen) > 1 for client in crowd)


def _drain(crowd: list[_Client], threads: list[threading.Thread]) -> None:
    deadline_s = time.perf_counter() + DRAIN_S
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.perf_counter()))
    for client, thread in zip(crowd, threads, strict=True):
        client.connection.close()
        thread.join()


def _window(crowd: list[_Client], began_s: float, ended_s: float, cpu_s: float) -> Window:
    inside = [row for client in crowd for row in client.seen if began_s < row[1] <= ended_s]
    # The first request of a client finds a queue that is still filling.
    steady = [row for client in crowd for row in client.seen[1:] if began_s < row[1] <= ended_s]
    statuses = Counter(status for _, _, status in inside)
    refused = sum(statuses[status] for status in REFUSALS)
    return Window(
        seconds=ended_s - began_s,
        latencies_ms=tuple(
            1e3 * (end_s - start_s) for start_s, end_s, status in steady if status == 200
        ),
        done=statuses[200],
        refused=refused,
        failed=len(inside) - statuses[200] - refused,
        load_cpu_s=cpu_s,
    )

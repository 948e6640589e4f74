"""HTTP/1.1 as bytes: requests that may be wrong on purpose, and their answers."""

import socket
import struct
from dataclasses import dataclass, replace
from http.client import HTTPResponse, IncompleteRead
from typing import IO, Any, Self

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER for a close that resets the connection."""


class NoAnswerError(ConnectionError):
    """The connection ended, or was reset, before a whole answer came."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, of which every part may be wrong."""

    method: bytes
    """Its method."""
    path: bytes
    """Its target, the query included."""
    headers: tuple[tuple[bytes, bytes], ...]
    """Its headers, Content-Length included."""
    body: bytes = b""
    """Its body."""

    def encode(self) -> bytes:
        """Returns the bytes that go over the wire."""
        lines = [self.method + b" " + self.path + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    def header(self, name: bytes) -> bytes | None:
        """Returns the first value of a header, or None."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def with_header(self, name: bytes, value: bytes | None) -> "Request":
        """Returns the request with a header in place of those of its name; None for without."""
        others = tuple((n, v) for n, v in self.headers if n.lower() != name.lower())
        return replace(self, headers=others if value is None else (*others, (name, value)))

    def with_body(self, body: bytes) -> "Request":
        """Returns the request with another body and its right length."""
        return replace(self, body=body).with_header(b"Content-Length", b"%d" % len(body))


def request(method: str, path: str, body: bytes | None = None, **headers: str) -> Request:
    """Returns a right request; `Content_Type="..."` is the header Content-Type."""
    given = tuple(
        (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
    )
    made = Request(method.encode(), path.encode(), ((b"Host", b"127.0.0.1"), *given))
    return made if body is None else made.with_body(body)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came whole."""

    status: int
    """Its status."""
    headers: dict[str, str]
    """Its headers, with small names."""
    body: bytes
    """Its body."""

    @property
    def media_type(self) -> str:
        """Content type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def ends_connection(self) -> bool:
        """Whether no other answer will follow on its connection."""
        return "close" in self.headers.get("connection", "").lower()


class Connection:
    """One connection to a server on the loopback, for requests byte by byte."""

    def __init__(
        self, port: int, *, timeout_s: float = 10.0, receive_bytes: int | None = None
    ) -> None:
        """Connects.

        Args:
            port: of the server.
            timeout_s: longest wait for bytes to be taken or to come.
            receive_bytes: how much the kernel keeps of what is not read; its choice, if None.
        """
        self._socket = socket.socket()
        if receive_bytes is not None:  # has to be set before the window is agreed on
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.settimeout(timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.connect(("127.0.0.1", port))
        self._stream = _Stream(self._socket.makefile("rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Sends bytes as they are.

        Raises:
            OSError: the server takes no more.
        """
        self._socket.sendall(data)

    def finish(self) -> None:
        """Tells the server that nothing more will be sent; answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self, method: bytes = b"GET") -> Answer:
        """Returns the next answer; `method` is that of its request.

        Raises:
            NoAnswerError: the connection ended before it was whole.
            TimeoutError: it did not come in time.
            http.client.HTTPException: it is no HTTP.
        """
        response = HTTPResponse(self._stream, method=method.decode("latin-1"))  # type: ignore[arg-type]
        try:
            response.begin()
            body = response.read()
        except (ConnectionError, IncompleteRead) as error:
            raise NoAnswerError(f"no whole answer: {error!r}") from None
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, body)

    def ask(self, asked: Request) -> Answer:
        """Sends a request and returns its answer; raises what `send` and `answer` do."""
        self.send(asked.encode())
        return self.answer(asked.method)

    def is_ended(self) -> bool:
        """Waits for the server to end the connection; returns whether nothing came before."""
        try:
            return self._stream.read(1) == b""
        except ConnectionError:
            return True

    def reset(self) -> None:
        """Ends the connection as a crash does: what was not sent or read is lost."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._stream.really_close()
        self._socket.close()


class _Stream:
    """Lets answer after answer be read from one stream: http.client closes what it read from."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def makefile(self, _mode: str) -> Self:
        """Stands in for a socket's method."""
        return self

    def close(self) -> None:
        """Does nothing."""

    def really_close(self) -> None:
        """Closes the stream."""
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

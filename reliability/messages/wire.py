"""HTTP/1.1 as bytes: requests that may be malformed on purpose, and their responses."""

import socket
import struct
from dataclasses import dataclass, replace
from http.client import HTTPResponse, IncompleteRead
from typing import IO, Any, Self

_AT_ONCE = struct.pack("ii", 1, 0)
"""Value of SO_LINGER for a close that resets the connection."""


class NoResponseError(ConnectionError):
    """The connection ended, or was reset, before a complete response."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of which every part may be malformed."""

    method: bytes
    """Request method."""
    path: bytes
    """Request target, including the query."""
    headers: tuple[tuple[bytes, bytes], ...]
    """Request headers, including Content-Length."""
    body: bytes = b""
    """Request body."""

    def encode(self) -> bytes:
        """Returns the request as bytes."""
        lines = [self.method + b" " + self.path + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    def header(self, name: bytes) -> bytes | None:
        """Returns the first value of a header, or None."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def with_header(self, name: bytes, value: bytes | None) -> "Request":
        """Returns the request with one header replaced; a value of None removes the header."""
        others = tuple((n, v) for n, v in self.headers if n.lower() != name.lower())
        return replace(self, headers=others if value is None else (*others, (name, value)))

    def with_body(self, body: bytes) -> "Request":
        """Returns the request with another body and the correct Content-Length."""
        return replace(self, body=body).with_header(b"Content-Length", b"%d" % len(body))


def make_request(method: str, path: str, body: bytes | None = None, **headers: str) -> Request:
    """Returns a valid request; the argument `Content_Type="..."` is the header Content-Type."""
    encoded = tuple(
        (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
    )
    request = Request(method.encode(), path.encode(), ((b"Host", b"127.0.0.1"), *encoded))
    return request if body is None else request.with_body(body)


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response."""

    status: int
    """Status code."""
    headers: dict[str, str]
    """Response headers; names are in lower case."""
    body: bytes
    """Response body."""

    @property
    def media_type(self) -> str:
        """Content-Type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def ends_connection(self) -> bool:
        """Whether this is the last response on its connection."""
        return "close" in self.headers.get("connection", "").lower()


class Connection:
    """One connection to a server on the loopback, with control over every byte."""

    def __init__(
        self, port: int, *, timeout_s: float = 10.0, receive_bytes: int | None = None
    ) -> None:
        """Connects.

        Args:
            port: port of the server.
            timeout_s: longest wait for one send or receive.
            receive_bytes: size of the kernel's receive buffer; None for its default.
        """
        self._socket = socket.socket()
        if receive_bytes is not None:  # must be set before the TCP window is negotiated
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
        """Sends bytes unchanged.

        Raises:
            OSError: the server accepts no more.
        """
        self._socket.sendall(data)

    def finish(self) -> None:
        """Closes the sending side; responses can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def response(self, method: bytes = b"GET") -> Response:
        """Returns the next response; `method` is the method of its request.

        Raises:
            NoResponseError: the connection ended before the response was complete.
            TimeoutError: the response did not arrive in time.
            http.client.HTTPException: the bytes are not HTTP.
        """
        response = HTTPResponse(self._stream, method=method.decode("latin-1"))  # type: ignore[arg-type]
        try:
            response.begin()
            body = response.read()
        except (ConnectionError, IncompleteRead) as error:
            raise NoResponseError(f"no complete response: {error!r}") from None
        return Response(response.status, {n.lower(): v for n, v in response.getheaders()}, body)

    def exchange(self, request: Request) -> Response:
        """Sends a request and returns its response; raises what `send` and `response` raise."""
        self.send(request.encode())
        return self.response(request.method)

    def is_ended(self) -> bool:
        """Waits for the end of the connection; returns False if more bytes came first."""
        try:
            return self._stream.read(1) == b""
        except ConnectionError:
            return True

    def reset(self) -> None:
        """Resets the connection, as a crash of the client would."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._stream.really_close()
        self._socket.close()


class _Stream:
    """Stream of several responses, which http.client cannot close after the first one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def makefile(self, _mode: str) -> Self:
        """Returns the stream itself, where http.client expects a socket."""
        return self

    def close(self) -> None:
        """Keeps the stream open for the next response."""

    def really_close(self) -> None:
        """Closes the stream."""
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

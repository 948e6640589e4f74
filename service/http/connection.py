"""The HTTP connection: uvicorn's, with changes to how it reads and how it ends.

- A body goes from the socket straight into its buffer, and is not read before a route wants it.
- A response that is sent before the body has arrived reaches the client that is still sending.
- A client that sends headers or trailers without end is cut off. A client that sends requests
  without reading the responses is not read any further.
- Bytes that are not HTTP end the connection after the responses to the requests before them.
- A request to upgrade to another protocol, as from `curl --http2`, is ignored without losing the
  body.
"""

import asyncio
import os
import socket
import sys
import weakref
from collections.abc import Callable, Sized
from functools import partial
from typing import Any, Final, Protocol

import httptools
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.http.reading import BufferReader, DiscardReader, ParserReader

MAX_IDLE_BYTES = 64 * 1024
"""Most bytes of headers, of trailers or between chunks, beyond the read that they came with."""
PATIENCE_S = 30.0
"""Longest time for headers to arrive, counted from the connection's start or from their own first
byte, and longest time in which a client reads nothing of a response. Then the connection ends."""
HEARD_S = 0.05
"""Time for a client that is still sending to notice its response and stop. Until then the server
does not read on, so the kernel soon accepts no more from the client."""
LINGER_S = 2.0
"""Longest time for which a client may send after its response; then the connection is closed."""
BODY: Final = "ecm.body"
"""Name of the ASGI extension that receives a body; its value is a `BodyReceiver`."""


class BodyReceiver(Protocol):
    """Receives the body of one request whose length is known."""

    async def __call__(
        self, buffer: memoryview, stall_s: float, count: Callable[[int], None]
    ) -> None:
        """Fills a buffer that is as long as the body.

        Args:
            buffer: destination of the body.
            stall_s: longest wait for the next bytes.
            count: called with the number of bytes that arrived, once or several times.

        Raises:
            ClientDisconnect: the client left before the whole body had arrived.
            TimeoutError: no bytes came for `stall_s`.
        """
        ...


class BoundedConnection(HttpToolsProtocol):
    """The server's side of one connection."""

    flow: "_Flow"
    _parser_reader: asyncio.BaseProtocol
    _idle_bytes = 0
    _timer: asyncio.TimerHandle | None = None
    _data = _rest = b""
    _is_replaying = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts to read."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        # On Windows a read completes long after it starts, so connections cannot share a buffer.
        self._parser_reader = ParserReader(self) if os.name == "posix" else self
        transport.set_protocol(self._parser_reader)
        self._timer = self.loop.call_later(PATIENCE_S, transport.close)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux then resets the connection by itself
            server_socket = transport.get_extra_info("socket")
            server_socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1e3 * PATIENCE_S)
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        self._cancel_timer()
        super().connection_lost(exc)

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def data_received(self, data: bytes) -> None:
        """Parses what the client sent."""
        self._idle_bytes += len(data)
        self._rest = data
        while self._rest:  # more than once if a request asks to upgrade to another protocol
            self._data, self._rest = self._rest, b""
            super().data_received(self._data)
        if self.is_responding():
            if self.cycle.more_body:
                self.flow.pause_reading()  # until a route wants the body
        elif not self._timer:
            self._timer = self.loop.call_later(PATIENCE_S, self.transport.close)
        if self._idle_bytes > MAX_IDLE_BYTES and not self.transport.is_closing():
            self.send_400_response("The request headers are too long.")

    def send_400_response(self, msg: str) -> None:
        """Ends the connection: now, or after the responses to the requests before."""
        if self.is_responding() and not self.cycle.more_body:
            self.cycle.keep_alive = False
            self.flow.stop_reading()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """Starts a request, except while its headers are replayed."""
        if not self._is_replaying:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Takes a part of the URL, except while the headers are replayed."""
        if not self._is_replaying:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, except while the headers are replayed."""
        if not self._is_replaying:
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        """Ends a request, unless the parser only assumes that another protocol follows."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Continues after the headers of an upgrade request as if it had not asked to upgrade.

        The parser stops after such headers. A new parser is given the headers that frame the body,
        and then the bytes that follow.
        """
        upgrade = sys.exception()
        assert isinstance(upgrade, httptools.HttpParserUpgrade)
        self._rest = self._data[upgrade.args[0] :]
        framing = (b"content-length", b"transfer-encoding")
        lines = [b"%s: %s\r\n" % header for header in self.headers if header[0] in framing]
        self._renew_parser()
        self._is_replaying = True
        self.parser.feed_data(b"".join([b"POST / HTTP/1.1\r\n", *lines, b"\r\n"]))
        self._is_replaying = False

    def is_responding(self) -> bool:
        """Returns whether a request is in flight."""
        return self.cycle is not None and not self.cycle.response_complete

    def _renew_parser(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_headers_complete(self) -> None:
        """Starts the response to a request whose headers are complete."""
        self._idle_bytes = 0
        if self._is_replaying:
            return
        self._cancel_timer()
        super().on_headers_complete()
        cycle = weakref.proxy(self.cycle)  # a cycle of references would leave requests to the GC
        cycle.transport = _ResponseTransport(self, cycle)
        if self.scope["http_version"] == "1.0":
            # Such a client knows no chunks (RFC 9112, section 7); its response ends with the
            # connection.
            cycle.chunked_encoding = False
            cycle.expected_content_length = _AnyLength()
            cycle.keep_alive = False
        self.scope["extensions"] = {BODY: partial(self._receive_body, cycle)}  # type: ignore[dict-item]

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body, which has limits of its own."""
        self._idle_bytes = 0
        super().on_body(body)

    async def _receive_body(
        self,
        cycle: RequestResponseCycle,
        buffer: memoryview,
        stall_s: float,
        count: Callable[[int], None],
    ) -> None:
        if cycle.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        parsed = len(cycle.body)
        buffer[:parsed] = cycle.body
        cycle.body = bytearray()
        count(parsed)
        if cycle.more_body and not cycle.disconnected:
            await self._fill(buffer[parsed:], stall_s, count)
            cycle.more_body = False
            cycle.message_event.set()
        elif parsed < len(buffer):  # the buffer's rest holds another request's bytes
            raise ClientDisconnect
        if cycle.disconnected:
            raise ClientDisconnect

    async def _fill(self, rest: memoryview, stall_s: float, count: Callable[[int], None]) -> None:
        """Reads the rest of a body into a buffer, bypassing the parser."""
        reader = BufferReader(self, rest)
        self._read_with(reader)
        try:
            await reader.wait(stall_s)
        except BaseException:
            self.cycle.keep_alive = False  # the start of the next request is now unknown
            raise
        finally:
            count(len(rest) - reader.missing_bytes())
            if not self.transport.is_closing():
                self._read_with(self._parser_reader)
        self._renew_parser()  # the old parser still waits for this body

    def _read_with(self, reader: asyncio.BaseProtocol) -> None:
        """Makes the transport pass what it reads to another reader."""
        self.flow.pause_reading()  # the transport looks up its reader when reading starts
        self.transport.set_protocol(reader)
        self.flow.resume_reading()

    def linger(self) -> None:
        """Closes the connection when the client stops sending, or after `LINGER_S`."""
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.stop_reading()
        self.transport.set_protocol(DiscardReader(self))
        self.loop.call_later(HEARD_S, self._discard)
        self.loop.call_later(LINGER_S, self.transport.close)

    def _discard(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()


class _Flow(FlowControl):
    """Pauses reading while requests wait in the pipeline, and after bytes that are not HTTP."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline
        self._stopped = False

    def resume_reading(self) -> None:
        """Reads on, unless a request is waiting."""
        if not (self._stopped or self._pipeline):
            super().resume_reading()

    def stop_reading(self) -> None:
        """Stops reading for good."""
        self._stopped = True
        self.pause_reading()


class _AnyLength(int):
    """Length of a response that may be any; uvicorn compares it with the bytes that it sends."""

    def __lt__(self, _: int) -> bool:
        return False

    def __sub__(self, _: int) -> "_AnyLength":
        return self


class _ResponseTransport:
    """Transport of one response, which sends headers and body in one write and closes gently.

    Closing a socket with unread bytes resets the connection. A client that is still sending may
    then never see the response, so the connection lingers.
    """

    def __init__(self, connection: BoundedConnection, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle
        self._head = b""
        """Headers that wait for the body."""
        self._has_begun = False

    def write(self, data: bytes) -> None:
        """Writes; the first part, which is the headers, is delayed to the next loop iteration."""
        if not self._cycle.response_started:  # it is 100 Continue
            self._connection.transport.write(data)
        elif not self._has_begun:
            self._has_begun, self._head = True, data
            self._connection.loop.call_soon(self._write_head)
        elif self._head:
            self._connection.transport.writelines((self._head, data))
            self._head = b""
        else:
            self._connection.transport.write(data)

    def _write_head(self) -> None:
        """Writes the headers of a response whose body comes later or not at all."""
        if self._head and not self._connection.transport.is_closing():
            self._connection.transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Closes the connection, after lingering if the client is still sending."""
        self._write_head()
        if self._cycle.more_body and not self._cycle.disconnected:
            self._connection.linger()
        else:
            self._connection.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.transport, name)

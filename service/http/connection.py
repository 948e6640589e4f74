"""The HTTP connection: uvicorn's, with some things more.

- A body goes from the socket straight to where it is wanted, and not before that.
- An answer that comes before the body has arrived reaches the client that is still sending.
- A client that sends on and on without getting anywhere is cut off; one that asks on and on without
  reading its answers is read no further.
- What is no HTTP ends the connection after the answers to what came before it.
- A wish for another protocol, as `curl --http2` has it, is left unheard and costs no body.
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

from service.http.reading import Filling, Leftovers, Parsing

MAX_IDLE_BYTES = 64 * 1024
"""Most bytes of a head, of trailers or between chunks, beyond the part that was read with them."""
PATIENCE_S = 30.0
"""How long a head may take, from the connection's or its own first byte, and a client may read
nothing of an answer; then the connection ends."""
HEARD_S = 0.05
"""How long a client that is still sending has to notice its answer and stop by itself; what it goes
on to send is not read until then, so that the kernel soon takes no more of it."""
LINGER_S = 2.0
"""How long a client may go on to send after its answer; then it is cut off."""
BODY: Final = "ecm.body"
"""Name of the ASGI extension that receives a body; a `BodyReceiver`."""


class BodyReceiver(Protocol):
    """Receives the body of one request whose length is known."""

    async def __call__(
        self, buffer: memoryview, stall_s: float, count: Callable[[int], None]
    ) -> None:
        """Fills a buffer that is as long as the body.

        Args:
            buffer: where the body goes.
            stall_s: longest wait for its next bytes.
            count: is told how many bytes came, in parts.

        Raises:
            ClientDisconnect: the client left before all of it was there.
            TimeoutError: nothing came for so long.
        """
        ...


class BoundedConnection(HttpToolsProtocol):
    """The server's side of a connection."""

    flow: "_Flow"
    _parsing: asyncio.BaseProtocol
    _idle_bytes = 0
    _timer: asyncio.TimerHandle | None = None
    _data = _rest = b""
    _is_replaying = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        # Elsewhere a read ends long after it has begun, and connections cannot share a buffer.
        self._parsing = Parsing(self) if os.name == "posix" else self
        transport.set_protocol(self._parsing)
        self._timer = self.loop.call_later(PATIENCE_S, transport.close)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # in Linux, which then resets the connection itself
            end = transport.get_extra_info("socket")
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1e3 * PATIENCE_S))

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait_no_more(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def data_received(self, data: bytes) -> None:
        """Takes what the client sent."""
        self._idle_bytes += len(data)
        self._rest = data
        while self._rest:  # more than once where heads wish for other protocols
            self._data, self._rest = self._rest, b""
            super().data_received(self._data)
        if self.is_answering():
            if self.cycle.more_body:
                self.flow.pause_reading()  # until somebody wants it
        elif not self._timer:
            self._timer = self.loop.call_later(PATIENCE_S, self.transport.close)
        if self._idle_bytes > MAX_IDLE_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def send_400_response(self, msg: str) -> None:
        """Ends the connection: at once, or after the answers to requests that came before."""
        if self.is_answering() and not self.cycle.more_body:
            self.cycle.keep_alive = False
            self.flow.stop_reading()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """Begins a head."""
        if not self._is_replaying:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Takes a part of it."""
        if not self._is_replaying:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a part of it."""
        if not self._is_replaying:
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        """Ends a request, unless the parser only believes that another protocol follows."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Goes on after a head that wished for another protocol as if it had not.

        The parser stops there. A new one is shown what a head has to say of its body, and then what
        came behind it.
        """
        stopped = sys.exception()
        assert isinstance(stopped, httptools.HttpParserUpgrade)
        self._rest = self._data[stopped.args[0] :]
        framing = (b"content-length", b"transfer-encoding")
        lines = [b"%s: %s\r\n" % header for header in self.headers if header[0] in framing]
        self._renew_parser()
        self._is_replaying = True
        self.parser.feed_data(b"".join([b"POST / HTTP/1.1\r\n", *lines, b"\r\n"]))
        self._is_replaying = False

    def is_answering(self) -> bool:
        """Returns whether a request is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    def _renew_parser(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_headers_complete(self) -> None:
        """Begins a request whose head was short enough."""
        self._idle_bytes = 0
        if self._is_replaying:
            return
        self._wait_no_more()
        super().on_headers_complete()
        cycle = weakref.proxy(self.cycle)  # or only the garbage collector would free a request
        cycle.transport = _AnswerTransport(self, cycle)
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
        here = len(cycle.body)
        buffer[:here] = cycle.body
        cycle.body = bytearray()
        count(here)
        if cycle.more_body and not cycle.disconnected:
            await self._fill(buffer[here:], stall_s, count)
            cycle.more_body = False
            cycle.message_event.set()
        elif here < len(buffer):  # or what another request left there would pass for the rest
            raise ClientDisconnect
        if cycle.disconnected:
            raise ClientDisconnect

    async def _fill(self, rest: memoryview, stall_s: float, count: Callable[[int], None]) -> None:
        """Fills what is left of a body with what comes next, past the parser."""
        filling = Filling(self, rest)
        self._turn_to(filling)
        try:
            await filling.wait(stall_s)
        except BaseException:
            self.cycle.keep_alive = False  # nobody knows any more where the next request begins
            raise
        finally:
            count(len(rest) - filling.missing_bytes())
            if not self.transport.is_closing():
                self._turn_to(self._parsing)
        self._renew_parser()  # the old one still waits for this body

    def _turn_to(self, protocol: asyncio.BaseProtocol) -> None:
        """Has the transport give what it reads to another protocol."""
        self.flow.pause_reading()  # it looks only when it begins to read
        self.transport.set_protocol(protocol)
        self.flow.resume_reading()

    def linger(self) -> None:
        """Ends the connection as soon as the client stops to send, or has had its time."""
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.stop_reading()
        self.transport.set_protocol(Leftovers(self))
        self.loop.call_later(HEARD_S, self._read_leftovers)
        self.loop.call_later(LINGER_S, self.transport.close)

    def _read_leftovers(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()


class _Flow(FlowControl):
    """Reads nothing while requests wait for those before them, nor after what is no HTTP."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline
        self._stopped = False

    def resume_reading(self) -> None:
        """Reads on, if there is nothing to do yet."""
        if not (self._stopped or self._pipeline):
            super().resume_reading()

    def stop_reading(self) -> None:
        """Reads no more."""
        self._stopped = True
        self.pause_reading()


class _AnswerTransport:
    """What a request's answer is written to; its head leaves with its body, if that is there too.

    Whoever closes a socket with unread bytes resets the connection, and the client, which is still
    sending, may never see the answer.
    """

    def __init__(self, connection: BoundedConnection, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle
        self._head = b""
        """Of the answer, while it waits for the body."""
        self._has_begun = False

    def write(self, data: bytes) -> None:
        """Writes; the first part, which is the head, in a moment."""
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
        """Writes the head of a body that is long in coming, or of none."""
        if self._head and not self._connection.transport.is_closing():
            self._connection.transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Closes, once the client has heard of it."""
        self._write_head()
        if self._cycle.more_body and not self._cycle.disconnected:
            self._connection.linger()
        else:
            self._connection.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.transport, name)

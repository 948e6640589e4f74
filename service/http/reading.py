"""Readers of a connection's socket: one for the parser, one into a buffer, one that discards."""

import asyncio
import threading
from typing import Final, Protocol

from uvicorn.protocols.http.flow_control import FlowControl

HEAD_BYTES: Final = 16 * 1024
"""Most bytes of one read where headers are expected."""
PART_BYTES: Final = 256 * 1024
"""Most bytes of one read of a body that is taken in parts, or of discarded bytes."""
LINGER_BYTES: Final = 16 * 1024 * 1024
"""Most bytes that a client may send after its response; then the connection is closed."""


class Connection(Protocol):
    """The part of an HTTP connection that its readers use."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Event loop of the connection."""

    @property
    def transport(self) -> asyncio.Transport:
        """Transport of the connection."""

    @property
    def flow(self) -> FlowControl:
        """Pauses and resumes reading."""

    def is_responding(self) -> bool:
        """Returns whether a request is in flight."""

    def data_received(self, data: bytes, /) -> None:
        """Parses bytes."""

    def eof_received(self) -> None:
        """Handles the end of what the client sends."""

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Handles the end of the connection."""

    def pause_writing(self) -> None:
        """Stops writing until the transport's buffer has drained."""

    def resume_writing(self) -> None:
        """Starts writing again."""


class _ReadBuffer(threading.local):
    """Read buffer that all connections of an event loop share, because reads never overlap."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(PART_BYTES))


_shared = _ReadBuffer()


class _Reader(asyncio.BufferedProtocol):
    """Reads for a connection and forwards all other events to it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def connection_lost(self, exc: Exception | None) -> None:
        """Forwards the event to the connection."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Forwards the event to the connection."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Forwards the event to the connection."""
        self._connection.resume_writing()


class ParserReader(_Reader):
    """Reads headers, and bodies that are taken in parts, into the connection's parser.

    Where headers may come next, one read is short. The rest of the body then needs no copy to its
    destination, and a client whose request is refused has sent less of it.
    """

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Returns the shared buffer, which `buffer_updated` empties at once."""
        return _shared.view if self._connection.is_responding() else _shared.view[:HEAD_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """Passes the bytes to the parser."""
        self._connection.data_received(bytes(_shared.view[:nbytes]))

    def eof_received(self) -> None:
        """Forwards the event to the connection."""
        self._connection.eof_received()


class BufferReader(_Reader):
    """Reads into a buffer until the buffer is full, and not one byte more."""

    def __init__(self, connection: Connection, buffer: memoryview) -> None:
        super().__init__(connection)
        self._unfilled = buffer
        self._done = connection.loop.create_future()

    async def wait(self, stall_s: float) -> None:
        """Returns when the buffer is full or the client has left.

        Raises:
            TimeoutError: no bytes came for `stall_s`.
        """
        while not self._done.done():
            missing = len(self._unfilled)
            await asyncio.wait((self._done,), timeout=stall_s)
            if not self._done.done() and len(self._unfilled) == missing:
                raise TimeoutError

    def missing_bytes(self) -> int:
        """Returns the number of bytes that have not come yet."""
        return len(self._unfilled)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Returns the unfilled part of the buffer."""
        return self._unfilled

    def buffer_updated(self, nbytes: int) -> None:
        """Advances, and stops reading once the buffer is full."""
        self._unfilled = self._unfilled[nbytes:]
        if not self._unfilled:
            self._connection.flow.pause_reading()
            self._finish()

    def eof_received(self) -> None:
        """Closes the connection, because the rest of the body will not come."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Also ends the wait."""
        super().connection_lost(exc)
        self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


class DiscardReader(_Reader):
    """Discards what a client sends after its response, up to `LINGER_BYTES`."""

    _left_bytes = LINGER_BYTES

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Returns the shared buffer."""
        return _shared.view

    def buffer_updated(self, nbytes: int) -> None:
        """Counts the bytes, and closes the connection after too many."""
        self._left_bytes -= nbytes
        if self._left_bytes < 0:
            self._connection.transport.close()

"""What reads from a connection: heads, bodies of a known length, and what nobody wants."""

import asyncio
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from service.http.connection import BoundedConnection

HEAD_BYTES: Final = 16 * 1024
"""Most that is read at once where a head is expected."""
PART_BYTES: Final = 256 * 1024
"""Most that is read at once of a body that is taken in parts, and of what nobody wants."""
LINGER_BYTES: Final = 16 * 1024 * 1024
"""Most that a client may go on to send after its answer; then it is cut off."""


class _Part(threading.local):
    """The buffer of all connections of an event loop: a read is over as soon as it has begun."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(PART_BYTES))


_part = _Part()


class _Stand(asyncio.BufferedProtocol):
    """Reads for a connection."""

    def __init__(self, connection: "BoundedConnection") -> None:
        self._connection = connection

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the connection."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tells the connection."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Tells the connection."""
        self._connection.resume_writing()


class Parsing(_Stand):
    """Has the connection parse what comes: heads, and the bodies that are taken in parts.

    Of what may be a head little is read at a time: the body behind it need not be copied from here
    to where it belongs, and if it is refused, the client has sent less of it.
    """

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Returns a buffer that is emptied at once."""
        return _part.buffer if self._connection.is_answering() else _part.buffer[:HEAD_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """Passes it on."""
        self._connection.data_received(bytes(_part.buffer[:nbytes]))

    def eof_received(self) -> None:
        """Closes, as the connection does."""
        self._connection.eof_received()


class Filling(_Stand):
    """Receives a known number of bytes into a buffer, and not one more."""

    def __init__(self, connection: "BoundedConnection", rest: memoryview) -> None:
        super().__init__(connection)
        self._rest = rest
        self._over = connection.loop.create_future()

    async def wait(self, stall_s: float) -> None:
        """Returns when the buffer is full, or the client has left.

        Raises:
            TimeoutError: nothing came for so long.
        """
        while not self._over.done():
            missing = len(self._rest)
            await asyncio.wait((self._over,), timeout=stall_s)
            if not self._over.done() and len(self._rest) == missing:
                raise TimeoutError

    def missing_bytes(self) -> int:
        """Returns how many did not come yet."""
        return len(self._rest)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Returns what is not yet filled."""
        return self._rest

    def buffer_updated(self, nbytes: int) -> None:
        """Notes that more of it is filled."""
        self._rest = self._rest[nbytes:]
        if not self._rest:
            self._connection.flow.pause_reading()
            self._end()

    def eof_received(self) -> None:
        """Closes: the client will not send the rest."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the waiting too."""
        super().connection_lost(exc)
        self._end()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


class Leftovers(_Stand):
    """Throws away what a client sends after its answer."""

    _left_bytes = LINGER_BYTES

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Returns a buffer that nobody reads."""
        return _part.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Has had enough at some point."""
        self._left_bytes -= nbytes
        if self._left_bytes < 0:
            self._connection.transport.close()

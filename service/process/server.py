"""The server: uvicorn's, with an end that loses nothing.

told to end --> draining: not ready, requests still taken, for `drain_s`
            --> the listener closes, what is under way is answered, within `shutdown_s`
            --> what is left is cut off
"""

import asyncio
import gc
import logging
import math
import select
import signal
import socket
from collections.abc import Callable
from time import monotonic
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import HANDLED_SIGNALS

from service.http.connection import BoundedConnection
from service.process.ending import leave_after
from service.process.listening import unusable_address
from service.state import ServiceState

_log = logging.getLogger(__name__)

_KEEP_ALIVE_S: Final = 75
"""How long a connection may be idle: longer than clients and proxies (60 s) keep one, so that it is
they who close it, and none sends a request on a connection that is just being closed."""
_LOOK_S: Final = 0.01
"""How soon a connection on which a request seems to begin is looked at again."""
_CLOSE: Final = (b"connection", b"close")
_LEFT_S: Final = 2
"""How long the work of requests that were cut off may take to notice."""
_LAST_S: Final = 15.0
"""How long all else may take at the end, such as laying down jobs; then the process ends anyway."""


class DrainedConnection(BoundedConnection):
    """A connection that ends with an answer which says so, or while nothing is asked on it."""

    def shutdown(self) -> None:
        """Ends it as soon as that loses nothing."""
        if self.transport.is_closing():
            return
        if self._has_begun_answer() or self._is_beginning() or self._has_unread():
            self.loop.call_later(_LOOK_S, self.shutdown)
        else:
            super().shutdown()

    def end_with_answer(self) -> None:
        """Has the answer that is under way be the last one, if it can still say so."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _has_begun_answer(self) -> bool:
        """Tells whether an answer is being sent after which the client may ask again."""
        cycle = self.cycle
        return cycle is not None and cycle.response_started and not cycle.response_complete

    def _is_beginning(self) -> bool:
        """Tells whether a head has come in part."""
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    def _has_unread(self) -> bool:
        """Tells whether something came that the loop has not got to yet, while it is idle."""
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        return is_readable(self.transport.get_extra_info("socket"))


class Server(uvicorn.Server):
    """Serves one app in this process."""

    def __init__(self, app: ASGIApp, service: ServiceState, on_started: Callable[[], None]) -> None:
        """Prepares it.

        Args:
            app: what answers.
            service: has the limits, and is told when it drains.
            on_started: called once requests are taken.
        """
        super().__init__(_configuration(app, service.settings.shutdown_s))
        self.config.load()  # or a signal could come before it has headers
        self._service = service
        self._on_started = on_started
        self._drained_s: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen.

        Raises:
            OptionError: the port was taken since it was bound.
        """
        try:
            await super().startup(sockets)
        except OSError as error:
            raise unusable_address(self._service.settings, error) from error
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again would halt requests
        self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Drains from the first signal on; the next one ends the process at once."""
        for name in HANDLED_SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        self._service.draining = True
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        for connection in self._connections():
            connection.end_with_answer()

    async def on_tick(self, counter: int) -> bool:
        """Tells whether it is time to close the listener."""
        settings = self._service.settings
        if self._service.draining and self._drained_s is None:
            _log.info("told to end; requests are taken for %g s more", settings.drain_s)
            self._drained_s = monotonic() + settings.drain_s
            leave_after(settings.drain_s + settings.shutdown_s + _LAST_S)
        self.should_exit = self._drained_s is not None and monotonic() >= self._drained_s
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes what waits at the listener, closes it, and answers what is under way."""
        shutdown_s = self._service.settings.shutdown_s
        for _ in range(self.config.backlog):
            if not any(map(is_readable, sockets or [])):
                break
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # now the last of them are among our connections
        cut_off = asyncio.get_running_loop().call_later(shutdown_s, self._cut_off)
        await super().shutdown(sockets)
        cut_off.cancel()

    def _cut_off(self) -> None:
        """Closes what is left without an answer, so that clients try again elsewhere."""
        if left := self._connections():
            told = "%d requests are not answered within %g s (shutdown_s) and are cut off"
            _log.warning(told, len(left), self._service.settings.shutdown_s)
        for connection in left:
            connection.transport.abort()

    def _connections(self) -> list[DrainedConnection]:
        connections = self.server_state.connections
        return [one for one in connections if isinstance(one, DrainedConnection)]


def _configuration(app: ASGIApp, shutdown_s: float) -> uvicorn.Config:
    """Returns how uvicorn is to serve an app."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=DrainedConnection,
        ws="none",
        lifespan="off",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(shutdown_s) + _LEFT_S,
    )


def is_readable(one: socket.socket) -> bool:
    """Tells whether a socket has bytes to read, or connections to take."""
    poll = select.poll()
    poll.register(one.fileno(), select.POLLIN)
    return bool(poll.poll(0))

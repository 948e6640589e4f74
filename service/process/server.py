"""The server: uvicorn's, with a shutdown that loses no request.

signal --> draining: /health/ready fails, requests are still accepted, for `drain_s`
       --> the listener closes, requests in flight are completed, within `shutdown_s`
       --> the remaining connections are cut off
"""

import asyncio
import gc
import logging
import math
import os
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
"""Longest idle time of a connection. Clients and proxies close idle connections after 60 s, so the
service never closes one on which a request is just being sent."""
_LOOK_S: Final = 0.01
"""Interval at which a connection with an incomplete request is checked again."""
_CLOSE: Final = (b"connection", b"close")
_LEFT_S: Final = 2
"""Time for the handlers of cut-off requests to notice and stop."""
_LAST_S: Final = 15.0
"""Time limit for the rest of the shutdown, such as suspending jobs; then the process ends."""


class DrainedConnection(BoundedConnection):
    """A connection that ends after a response with `Connection: close`, or while it is idle."""

    def shutdown(self) -> None:
        """Closes the connection as soon as no request is lost."""
        if self.transport.is_closing():
            return
        if self._has_begun_response() or self._is_beginning() or self._has_unread():
            self.loop.call_later(_LOOK_S, self.shutdown)
        else:
            super().shutdown()

    def end_with_response(self) -> None:
        """Makes the current response the last one, unless its headers have been sent."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _has_begun_response(self) -> bool:
        """Returns whether a response is being sent after which the client may send a request."""
        cycle = self.cycle
        return cycle is not None and cycle.response_started and not cycle.response_complete

    def _is_beginning(self) -> bool:
        """Returns whether the headers of a request have arrived in part."""
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    def _has_unread(self) -> bool:
        """Returns whether the idle connection has bytes that the event loop has not read yet."""
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        return is_readable(self.transport.get_extra_info("socket"))


class Server(uvicorn.Server):
    """Serves one app in this process."""

    def __init__(self, app: ASGIApp, service: ServiceState, on_started: Callable[[], None]) -> None:
        """Prepares the server.

        Args:
            app: the application.
            service: state of the service; has the time limits and the flag `draining`.
            on_started: called when the server accepts requests.
        """
        super().__init__(_configuration(app, service.settings.shutdown_s))
        self.config.load()  # before any signal, because `handle_exit` adds a header to it
        self._service = service
        self._on_started = on_started
        self._drained_s: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen.

        Raises:
            OptionError: another process took the port after it was bound.
        """
        try:
            await super().startup(sockets)
        except OSError as error:
            raise unusable_address(self._service.settings, error) from error
        gc.collect()
        gc.freeze()  # objects from the start live on; scanning them again would delay requests
        _log.info("server process %d started", os.getpid())
        self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Starts draining at the first signal; a second signal ends the process at once."""
        for name in HANDLED_SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        self._service.draining = True
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        for connection in self._connections():
            connection.end_with_response()

    async def on_tick(self, counter: int) -> bool:
        """Returns whether it is time to close the listener."""
        settings = self._service.settings
        if self._service.draining and self._drained_s is None:
            _log.info("shutting down; accepting requests for another %g s", settings.drain_s)
            self._drained_s = monotonic() + settings.drain_s
            leave_after(settings.drain_s + settings.shutdown_s + _LAST_S)
        self.should_exit = self._drained_s is not None and monotonic() >= self._drained_s
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts the waiting connections, closes the listener, and completes all requests."""
        shutdown_s = self._service.settings.shutdown_s
        for _ in range(self.config.backlog):
            if not any(map(is_readable, sockets or [])):
                break
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # the last accepted connections are registered now
        cut_off = asyncio.get_running_loop().call_later(shutdown_s, self._cut_off)
        await super().shutdown(sockets)
        cut_off.cancel()
        _log.info("server process %d stopped", os.getpid())

    def _cut_off(self) -> None:
        """Closes the remaining connections without a response, so that clients retry elsewhere."""
        if left := self._connections():
            message = "%d requests took longer than %g s (shutdown_s) and are cut off"
            _log.warning(message, len(left), self._service.settings.shutdown_s)
        for connection in left:
            connection.transport.abort()

    def _connections(self) -> list[DrainedConnection]:
        connections = self.server_state.connections
        return [one for one in connections if isinstance(one, DrainedConnection)]


def _configuration(app: ASGIApp, shutdown_s: float) -> uvicorn.Config:
    """Returns the configuration of uvicorn."""
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",  # this module logs the start and the end
        access_log=False,
        server_header=False,
        http=DrainedConnection,
        ws="none",
        lifespan="off",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(shutdown_s) + _LEFT_S,
    )


def is_readable(one: socket.socket) -> bool:
    """Returns whether a socket has bytes to read or connections to accept."""
    poll = select.poll()
    poll.register(one.fileno(), select.POLLIN)
    return bool(poll.poll(0))

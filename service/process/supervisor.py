"""Supervisor of several processes that share one port.

uvicorn's own supervisor runs uvicorn's server only, misses signals while it checks its processes,
and restarts a process that cannot start without a pause.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.context import SpawnProcess
from time import monotonic
from types import FrameType
from typing import Final, TypeAlias

from service.process.ending import leave

_log = logging.getLogger(__name__)
_spawn = multiprocessing.get_context("spawn")

Target: TypeAlias = Callable[[int, list[socket.socket], Callable[[], None]], int]
"""Main function of a process. Its arguments are the number of the process, the sockets, and a
function to call when it accepts requests. It returns the exit status."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_LOOK_S: Final = 0.1
"""Interval at which signals and processes are checked."""
_PAUSE_S: Final = 2.0
"""Shortest time between two starts of one process."""


class _Child:
    """One running process."""

    def __init__(self, number: int, target: Target, sockets: list[socket.socket]) -> None:
        self.began_s = monotonic()
        self._started, sender = _spawn.Pipe(duplex=False)
        arguments = (target, number, sockets, partial(sender.send, True))
        self.process: SpawnProcess = _spawn.Process(target=_run, args=arguments)
        self.process.start()
        sender.close()

    def has_started(self) -> bool:
        """Returns True once, when the process accepts requests."""
        try:
            return self._started.poll() and self._started.recv()
        except EOFError:
            return False


class Supervisor:
    """Starts processes, restarts those that die, and ends them all."""

    def __init__(self, count: int, target: Target, sockets: list[socket.socket]) -> None:
        """Prepares the supervisor.

        Args:
            count: number of processes.
            target: main function of each process; must be picklable.
            sockets: bound sockets; the supervisor closes them when it ends.
        """
        self._count = count
        self._target = target
        self._sockets = sockets
        self._ending = False

    def run(self, on_started: Callable[[], None]) -> None:
        """Runs until a signal has ended all processes.

        The first process starts alone. An error in the settings is then reported once, and the
        first process creates the job tables for all.

        Args:
            on_started: called when the first process accepts requests.

        Raises:
            SystemExit: the first process cannot start and has logged why, or a process did not end
                in time.
        """
        for name in _SIGNALS:
            signal.signal(name, self._end)
        children = [self._start(0)]
        while not (self._ending or children[0].has_started()):
            if not children[0].process.is_alive():
                raise SystemExit(1)
            time.sleep(_LOOK_S)
        if not self._ending:
            on_started()
            children += [self._start(number) for number in range(1, self._count)]
        while not self._ending:
            time.sleep(_LOOK_S)
            children = [self._restarted(number, child) for number, child in enumerate(children)]
        self._end_all(children)

    def _start(self, number: int) -> _Child:
        return _Child(number, self._target, self._sockets)

    def _restarted(self, number: int, child: _Child) -> _Child:
        """Returns the child while it is alive, and a new one after its death."""
        if child.process.is_alive() or monotonic() < child.began_s + _PAUSE_S:
            return child
        message = "process %d of %d ended with status %s; restarting it"
        _log.error(message, number + 1, self._count, child.process.exitcode)
        return self._start(number)

    def _end(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Ends all processes at the first signal; a second one ends the supervisor at once."""
        for name in _SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        self._ending = True

    def _end_all(self, children: Sequence[_Child]) -> None:
        for one in self._sockets:
            one.close()  # otherwise new connections would wait here forever
        for child in children:
            child.process.terminate()
        for child in children:
            child.process.join()
        if any((child.process.exitcode or 0) > 0 for child in children):
            raise SystemExit(1)


def _run(
    target: Target, number: int, sockets: list[socket.socket], on_started: Callable[[], None]
) -> None:
    """Entry point of a server process."""
    os.setpgrp()  # a terminal's Ctrl+C goes to the parent, which forwards it
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    leave(target(number, sockets, on_started))


def _end_with_parent() -> None:
    """Ends this process when the parent has died, because a killed parent sends no signal."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)

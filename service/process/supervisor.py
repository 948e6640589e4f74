"""Keeps several processes running that share one port.

uvicorn's own supervisor runs its own server only, is deaf to signals while it asks its processes
whether they live, and starts one that cannot start over and over without a pause.
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
"""What a process does; is told its number, the sockets, and what to call once it is started;
returns its exit status."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_LOOK_S: Final = 0.1
"""How soon a signal is noticed."""
_PAUSE_S: Final = 2.0
"""Least time between two starts of one process."""


class _Child:
    """One process, started."""

    def __init__(self, number: int, target: Target, sockets: list[socket.socket]) -> None:
        self.began_s = monotonic()
        self._told, telling = _spawn.Pipe(duplex=False)
        arguments = (target, number, sockets, partial(telling.send, True))
        self.process: SpawnProcess = _spawn.Process(target=_run, args=arguments)
        self.process.start()
        telling.close()

    def has_started(self) -> bool:
        """Tells once that it takes requests, when it does."""
        try:
            return self._told.poll() and self._told.recv()
        except EOFError:
            return False


class Supervisor:
    """Starts processes, starts them again when they die, and ends them all."""

    def __init__(self, count: int, target: Target, sockets: list[socket.socket]) -> None:
        """Prepares it.

        Args:
            count: how many processes.
            target: what each does; it is pickled.
            sockets: bound; this process closes them when it is told to end.
        """
        self._count = count
        self._target = target
        self._sockets = sockets
        self._ending = False

    def run(self, on_started: Callable[[], None]) -> None:
        """Returns when it was told to end and all processes have ended.

        The first is started alone: what is wrong for all is said once, and it makes the tables of
        the jobs for all.

        Args:
            on_started: called once the first takes requests.

        Raises:
            SystemExit: the first cannot start, as it said itself; or one could not end in time.
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
            children = [self._kept(number, child) for number, child in enumerate(children)]
        self._end_all(children)

    def _start(self, number: int) -> _Child:
        return _Child(number, self._target, self._sockets)

    def _kept(self, number: int, child: _Child) -> _Child:
        """Returns a child that lives, or one in its place."""
        if child.process.is_alive() or monotonic() < child.began_s + _PAUSE_S:
            return child
        told = "process %d of %d ended with status %s and is started again"
        _log.error(told, number + 1, self._count, child.process.exitcode)
        return self._start(number)

    def _end(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Ends all at the first signal; the next one ends this process, which the others notice."""
        for name in _SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        self._ending = True

    def _end_all(self, children: Sequence[_Child]) -> None:
        for one in self._sockets:
            one.close()  # or what comes would wait here for nobody
        for child in children:
            child.process.terminate()
        for child in children:
            child.process.join()
        if any((child.process.exitcode or 0) > 0 for child in children):
            raise SystemExit(1)


def _run(
    target: Target, number: int, sockets: list[socket.socket], on_started: Callable[[], None]
) -> None:
    """Is what a process does."""
    os.setpgrp()  # a terminal's Ctrl+C is for the parent, who passes it on
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    leave(target(number, sockets, on_started))


def _end_with_parent() -> None:
    """Sends the signal that a parent which was killed can send no more."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)

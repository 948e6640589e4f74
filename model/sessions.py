"""Which of a network's onnxruntime sessions a run takes where several are under way at once."""

import math
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Protocol

from onnxruntime import InferenceSession

_MOMENT_S = 0.1
"""So long after several were under way a run does not yet count as alone."""


class Sessions(Protocol):
    """The sessions of one network, all of the same file."""

    def taken(self) -> AbstractContextManager[InferenceSession]:
        """Gives a session for the length of one run."""
        ...


class Shared:
    """One session of one thread: every run is computed by the thread that asks for it."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    @contextmanager
    def taken(self) -> Iterator[InferenceSession]:
        """Gives the session, to any number of runs at once."""
        yield self._session


class Instances:
    """Several sessions with threads or a stream of its own each; a run waits for a free one."""

    def __init__(self, sessions: Sequence[InferenceSession]) -> None:
        self._free: queue.SimpleQueue[InferenceSession] = queue.SimpleQueue()
        for session in sessions:
            self._free.put(session)

    @contextmanager
    def taken(self) -> Iterator[InferenceSession]:
        """Gives a session that no other run has."""
        session = self._free.get()
        try:
            yield session
        finally:
            self._free.put(session)


class WideOrNarrow:
    """A run that is alone gets all cores, several at once get one each.

    Threads of one run wait for each other at every layer, so where there are runs enough to keep
    the cores busy, one thread each gets more of them done; a run alone would take as many times
    longer as there are cores. Among several clients a run often begins alone and soon is not, so
    none counts as alone shortly after several.
    """

    def __init__(self, wide: InferenceSession, narrow: InferenceSession) -> None:
        """Takes both.

        Args:
            wide: a session with a thread for each core.
            narrow: one of a single thread.
        """
        self._wide = wide
        self._narrow = narrow
        self._running = 0
        self._several_s = -math.inf
        """Monotonic time at which several were under way last."""
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[InferenceSession]:
        """Gives the wide session to a run that is alone, else the narrow one."""
        with self._lock:
            was_quiet = monotonic() - self._several_s > _MOMENT_S
            is_alone = self._running == 0 and was_quiet
            self._running += 1
        try:
            yield self._wide if is_alone else self._narrow
        finally:
            with self._lock:
                self._running -= 1
                if self._running:
                    self._several_s = monotonic()

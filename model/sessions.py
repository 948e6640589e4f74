"""Which of a network's onnxruntime sessions a run takes where several are under way at once."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from onnxruntime import InferenceSession


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
    longer as there are cores. Where there were several a moment ago, the first of the next ones is
    alone for a moment only, and is not taken for one that is.
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
        self._were_several = False
        """Whether the run that began last found another under way."""
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[InferenceSession]:
        """Gives the wide session to a run that is alone, else the narrow one."""
        with self._lock:
            alone = self._running == 0 and not self._were_several
            self._were_several = self._running > 0
            self._running += 1
        try:
            yield self._wide if alone else self._narrow
        finally:
            with self._lock:
                self._running -= 1

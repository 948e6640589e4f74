"""Which of a network's onnxruntime sessions a run takes where several are under way at once."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from onnxruntime import InferenceSession

_ALONE_RUNS = 3
"""So many have to have been alone before one gets all cores."""


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
    longer as there are cores. Among several clients a run often is alone for a moment only, so it
    counts as alone when the runs before it were, too.
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
        self._alone_before = _ALONE_RUNS
        """Runs in a row that found no other under way."""
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[InferenceSession]:
        """Gives the wide session to a run that is alone, else the narrow one."""
        with self._lock:
            is_alone = self._running == 0
            takes_all = is_alone and self._alone_before >= _ALONE_RUNS
            self._alone_before = self._alone_before + 1 if is_alone else 0
            self._running += 1
        try:
            yield self._wide if takes_all else self._narrow
        finally:
            with self._lock:
                self._running -= 1

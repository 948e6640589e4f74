"""The onnxruntime sessions of one network, and the choice among them for concurrent runs."""

import math
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Protocol

from onnxruntime import InferenceSession

_QUIET_S = 0.1
"""A run counts as single only if there were no concurrent runs for this long."""


class Sessions(Protocol):
    """Sessions of one network, all loaded from the same file."""

    def lend(self) -> AbstractContextManager[InferenceSession]:
        """Lends a session for one run."""
        ...


class Shared:
    """One session with one thread: each run is computed in the thread of its caller."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    @contextmanager
    def lend(self) -> Iterator[InferenceSession]:
        """Lends the session to any number of concurrent runs."""
        yield self._session


class Instances:
    """Several sessions, each with its own threads or CUDA stream; a run waits for an idle one."""

    def __init__(self, sessions: Sequence[InferenceSession]) -> None:
        self._idle: queue.SimpleQueue[InferenceSession] = queue.SimpleQueue()
        for session in sessions:
            self._idle.put(session)

    @contextmanager
    def lend(self) -> Iterator[InferenceSession]:
        """Lends a session that no other run uses, once there is one."""
        session = self._idle.get()
        try:
            yield session
        finally:
            self._idle.put(session)


class WideOrNarrow:
    """Two sessions: one with all cores for a single run, one with one core for concurrent runs.

    The threads of one run wait for each other at every layer. With enough runs to keep all cores
    busy, one thread per run therefore has the higher throughput. A single run on one thread would
    take longer by a factor of the number of cores. With several clients a run often starts alone
    and soon has company, so none counts as single shortly after concurrent runs.
    """

    def __init__(self, wide: InferenceSession, narrow: InferenceSession) -> None:
        """Takes both sessions.

        Args:
            wide: a session with one thread for each core.
            narrow: a session with one thread.
        """
        self._wide = wide
        self._narrow = narrow
        self._running = 0
        self._concurrent_s = -math.inf
        """Monotonic time of the last concurrent runs."""
        self._lock = threading.Lock()

    @contextmanager
    def lend(self) -> Iterator[InferenceSession]:
        """Lends the wide session to a single run, and the narrow one to concurrent runs."""
        with self._lock:
            was_quiet = monotonic() - self._concurrent_s > _QUIET_S
            is_single = self._running == 0 and was_quiet
            self._running += 1
        try:
            yield self._wide if is_single else self._narrow
        finally:
            with self._lock:
                self._running -= 1
                if self._running:
                    self._concurrent_s = monotonic()

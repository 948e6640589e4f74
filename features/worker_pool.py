"""A process that answers one task after the other, and may die without taking anything with it.

For work that a hostile or broken file can crash or stall. The process is started afresh rather
than forked, so that it holds neither torch nor threads of its parent.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeAlias, TypeVar

from model.errors import LocalizerError, WorkerError

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Prepare: TypeAlias = Callable[[], Callable[[Task], Answer]]
"""Called in the process; returns what answers its tasks. It and the tasks must be picklable."""

_PARENT_CHECK_S = 0.5


class WorkerProcess(Generic[Task, Answer]):
    """The process, as its parent sees it; a new one takes its place if it dies.

    For one thread at a time; `stop` may come from another.
    """

    def __init__(self, prepare: "Prepare[Task, Answer]") -> None:
        """Prepares nothing yet: the first task starts the process."""
        self._prepare = prepare
        self._stopped = False
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None

    def ask(self, task: Task, *, timeout_s: float | None = None) -> Answer:
        """Returns the answer to a task.

        Raises:
            WorkerError: the process died over it, took longer than allowed and was ended, or met
                an error of some library.
            LocalizerError, OSError: as the task raised it.
        """
        process, connection = self._running()
        try:
            connection.send(task)
            if not connection.poll(timeout_s):
                raise WorkerError(f"no answer within {timeout_s} s")
            failure, answer = connection.recv()
        except (EOFError, OSError, WorkerError) as error:
            self._end(process, connection)
            if isinstance(error, WorkerError):
                raise
            raise WorkerError(
                f"the process at work on it ended with status {process.exitcode}"
            ) from None
        if failure is not None:
            raise failure
        return answer

    def stop(self) -> None:
        """Ends the process at once, and for good."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.kill()
                self._process.join()

    def _running(self) -> tuple[SpawnProcess, Connection]:
        with self._lock:
            if self._stopped:
                raise WorkerError("it was stopped")
            if self._process is None:
                context = multiprocessing.get_context("spawn")
                self._connection, theirs = context.Pipe()
                self._process = context.Process(
                    target=_work, args=(theirs, self._prepare, os.getpid()), daemon=True
                )
                self._process.start()
                theirs.close()
            return self._process, self._connection

    def _end(self, process: SpawnProcess, connection: Connection) -> None:
        """Ends a process that does not answer; the next task starts a new one."""
        with self._lock:
            process.kill()
            process.join()
            connection.close()
            self._process = None


def _work(connection: Connection, prepare: "Prepare[Any, Any]", parent: int) -> None:
    """Answers tasks until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this one
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    answer: Callable[[Any], Any] | None = None
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = answer or prepare()
            outcome: tuple[Exception | None, Any] = None, answer(task)
        except (LocalizerError, OSError) as error:
            outcome = error, None
        except Exception as error:  # of whatever library; it may not survive the way
            outcome = WorkerError(f"{type(error).__name__}: {error}"), None
        with suppress(BrokenPipeError):  # the parent is gone
            connection.send(outcome)


def _end_with(parent: int) -> None:
    """Ends this process, whatever it is at, once its parent is gone."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)

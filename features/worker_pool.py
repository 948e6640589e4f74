"""Worker processes that answer tasks, and whose deaths cost one task each.

For work that a hostile or broken file can crash or stall. Processes are spawned, not forked, so
they inherit neither torch nor threads from their parent.
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
from queue import SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from model.errors import LocalizerError, WorkerError

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Prepare: TypeAlias = Callable[[], Callable[[Task], Answer]]
"""Runs once in each process and returns the function that answers its tasks. Both `Prepare` and
the tasks must be picklable."""

_PARENT_CHECK_S = 0.5


class WorkerPool(Generic[Task, Answer]):
    """A fixed number of worker processes, shared by any number of threads."""

    def __init__(self, prepare: "Prepare[Task, Answer]", workers: int) -> None:
        """Creates the pool; each process starts with its first task.

        Args:
            prepare: runs once in each process.
            workers: number of processes.
        """
        self._all = [WorkerProcess(prepare) for _ in range(workers)]
        self._idle: SimpleQueue[WorkerProcess[Task, Answer]] = SimpleQueue()
        for worker in self._all:
            self._idle.put(worker)

    def ask(self, task: Task, *, timeout_s: float | None = None) -> Answer:
        """Returns the answer to a task from the next idle worker; see `WorkerProcess.ask`."""
        worker = self._idle.get()
        try:
            return worker.ask(task, timeout_s=timeout_s)
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """Kills all processes at once, for good; unfinished tasks raise WorkerError."""
        for worker in self._all:
            worker.stop()


class WorkerProcess(Generic[Task, Answer]):
    """One worker as its parent sees it; a process that dies is replaced at the next task.

    `ask` is for one thread at a time; another thread may call `stop`.
    """

    def __init__(self, prepare: "Prepare[Task, Answer]") -> None:
        """Creates the worker; the first task starts its process."""
        self._prepare = prepare
        self._stopped = False
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None

    def ask(self, task: Task, *, timeout_s: float | None = None) -> Answer:
        """Returns the answer to a task.

        Raises:
            WorkerError: the process died during the task, was killed because it exceeded
                `timeout_s`, or met an error of a library.
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
            raise WorkerError(f"the worker process ended with status {process.exitcode}") from None
        if failure is not None:
            raise failure
        return answer

    def stop(self) -> None:
        """Kills the process at once, for good."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.kill()
                self._process.join()

    def _running(self) -> tuple[SpawnProcess, Connection]:
        with self._lock:
            if self._stopped:
                raise WorkerError("the worker was stopped")
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
        """Kills a process that does not answer; the next task starts a new one."""
        with self._lock:
            process.kill()
            process.join()
            connection.close()
            self._process = None


def _work(connection: Connection, prepare: "Prepare[Any, Any]", parent_pid: int) -> None:
    """Entry point of a worker process: answers tasks until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this one
    threading.Thread(target=_exit_after, args=(parent_pid,), daemon=True).start()
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
        except Exception as error:  # from any library; it may not survive pickling
            outcome = WorkerError(f"{type(error).__name__}: {error}"), None
        with suppress(BrokenPipeError):  # the parent is gone
            connection.send(outcome)


def _exit_after(parent_pid: int) -> None:
    """Ends this process once its parent is gone, even in the middle of a task."""
    while os.getppid() == parent_pid:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)

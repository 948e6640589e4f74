"""Workers that die, stall or meet unusual errors, and end with their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.worker_pool import WorkerPool, WorkerProcess
from model.errors import VideoError, WorkerError


class OddError(Exception):
    """An error that cannot be unpickled, because it needs more than its text."""

    def __init__(self, number: int, *, reason: str) -> None:
        super().__init__(f"{number} {reason}")


def prepare() -> Callable[[str], object]:
    """Returns a function that acts as its task says, and counts its tasks."""
    had: list[str] = []

    def answer(task: str) -> object:
        had.append(task)
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "stall":
            threading.Event().wait()
        if task == "odd":
            raise OddError(1, reason="odd")
        if task == "refuse":
            raise VideoError("no video")
        if task == "absent":
            raise FileNotFoundError(2, "not there", "name")
        return os.getpid(), len(had)

    return answer


def cannot_prepare() -> Callable[[str], object]:
    raise VideoError("no extractor")


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    process = WorkerProcess(prepare)
    yield process
    process.stop()


def test_one_process_answers_all_tasks(worker: WorkerProcess) -> None:
    """It keeps its prepared state."""
    answers = [worker.ask("work") for _ in range(3)]
    assert len({pid for pid, _ in answers}) == 1
    assert [had for _, had in answers] == [1, 2, 3]
    assert answers[0][0] != os.getpid()


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        ("refuse", VideoError, "^no video$"),
        ("absent", FileNotFoundError, "not there: 'name'"),
        ("odd", WorkerError, "^OddError: 1 odd$"),
    ],
)
def test_errors_are_raised_to_the_caller(
    worker: WorkerProcess, task: str, kind: type[Exception], message: str
) -> None:
    """Errors of libraries are raised as text, and the process continues."""
    pid, _ = worker.ask("work")
    with pytest.raises(kind, match=message):
        worker.ask(task)
    assert worker.ask("work") == (pid, 3)


def test_death_and_stalling_cost_one_task(worker: WorkerProcess) -> None:
    """A new process takes the next task."""
    first, _ = worker.ask("work")
    with pytest.raises(WorkerError, match="ended with status -9"):
        worker.ask("die")
    second, _ = worker.ask("work")
    with pytest.raises(WorkerError, match=r"no answer within 0\.1 s"):
        worker.ask("stall", timeout_s=0.1)
    third, had = worker.ask("work")
    assert len({first, second, third}) == 3
    assert had == 1


def test_failed_preparation_is_raised_for_each_task() -> None:
    """The cause may be repaired in the meantime."""
    worker = WorkerProcess(cannot_prepare)
    for _ in range(2):
        with pytest.raises(VideoError, match="no extractor"):
            worker.ask("work")
    worker.stop()


def test_stopping_ends_a_task_and_refuses_the_next(worker: WorkerProcess) -> None:
    """Another thread may stop a worker."""
    worker.ask("work")
    threading.Timer(0.1, worker.stop).start()
    with pytest.raises(WorkerError):
        worker.ask("stall")
    with pytest.raises(WorkerError, match="stopped"):
        worker.ask("work")


def test_pool_lends_each_process_to_one_task_at_a_time() -> None:
    """A death costs one task, and stopping refuses the rest."""
    pool = WorkerPool(prepare, 2)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(pool.ask, ["work"] * 4))
    assert len({pid for pid, _ in answers}) <= 2
    assert len(set(answers)) == 4
    with pytest.raises(WorkerError, match="ended with status -9"):
        pool.ask("die")
    assert pool.ask("work")
    assert pool.ask("work")
    pool.stop()
    with pytest.raises(WorkerError, match="stopped"):
        pool.ask("work")


def test_worker_ends_with_its_parent() -> None:
    """This holds even in the middle of a task, and if the parent is killed."""
    code = (
        "from test_worker_pool import WorkerProcess, prepare\n"
        "worker = WorkerProcess(prepare)\n"
        "print(worker.ask('work')[0], flush=True)\n"
        "worker.ask('stall')"
    )
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    end_s = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < end_s
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

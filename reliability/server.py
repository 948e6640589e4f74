"""A server process under test, and the resources of a process as the kernel reports them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_START_S, _END_S = 60, 30


@dataclass(frozen=True, slots=True)
class ProcessState:
    """Resources of a process at one moment, from /proc."""

    rss_bytes: int
    """Resident memory."""
    files: int
    """Number of open file descriptors."""
    threads: int
    """Number of threads."""
    cpu_s: float
    """CPU time so far, including that of dead children."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running server on this machine."""

    port: int
    """Port on the loopback."""
    pid: int
    """Process id."""

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def state(self) -> ProcessState:
        """Returns the resources of the process now.

        Raises:
            ServerDiedError: the process has ended.
        """
        return process_state(self.pid)

    def open_files(self) -> list[str]:
        """Returns the targets of the open file descriptors."""
        places = (Path("/proc") / str(self.pid) / "fd").iterdir()
        names = []
        for place in places:
            with suppress(OSError):  # closed meanwhile
                names.append(str(place.readlink()))
        return names

    def is_alive(self) -> bool:
        """Returns whether the process is running."""
        try:
            self.state()
        except ServerDiedError:
            return False
        return True


class ServerDiedError(RuntimeError):
    """The server's process has ended, or the server does not respond."""


def process_state(pid: int) -> ProcessState:
    """Returns the resources of a process now.

    Raises:
        ServerDiedError: there is no such process.
    """
    place = Path("/proc") / str(pid)
    try:
        fields = dict(
            line.split(":", 1)
            for line in (place / "status").read_text().splitlines()
            if ":" in line
        )
        times = (place / "stat").read_text().rpartition(")")[2].split()
        files = sum(1 for _ in (place / "fd").iterdir())
    except OSError:
        raise ServerDiedError(f"there is no process {pid}") from None
    if "VmRSS" not in fields:  # a zombie
        raise ServerDiedError(f"process {pid} has ended")
    return ProcessState(
        rss_bytes=1024 * int(fields["VmRSS"].split()[0]),
        files=files,
        threads=int(fields["Threads"]),
        cpu_s=_TICK_S * sum(map(int, times[11:15])),
    )


def wait_until(condition: Callable[[], object], *, timeout_s: float) -> bool:
    """Waits for a condition; returns False if it does not hold within `timeout_s`."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True


def eventually(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Waits until a condition holds.

    Raises:
        AssertionError: it does not hold within `within_s`.
    """
    assert wait_until(condition, timeout_s=within_s), f"still not so after {within_s:g} s"


@contextmanager
def on_cores(cores: Iterable[int]) -> Iterator[None]:
    """Restricts this thread and the processes that it starts to some cores during a `with`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def server(repository: Path, folder: Path, **flags: object) -> Iterator[Target]:
    """Runs `python -m service serve` during a `with`; the log is `folder`/serve.log.

    Args:
        repository: folder of the models.
        folder: folder for data and log.
        flags: flags of `serve`, such as max_snippets=500.

    Raises:
        ServerDiedError: the server does not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"repository": repository, "data": folder / "data", "port": port, **flags}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    log = folder / "serve.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", *words], stdout=out, stderr=out
        )
    target = Target(port, process.pid)
    try:
        with httpx.Client(timeout=5) as client:  # making one takes 30 ms of CPU time
            is_up = wait_until(
                lambda: process.poll() is not None or _is_up(client, target), timeout_s=_START_S
            )
        if not is_up:
            raise ServerDiedError(f"the server does not respond; see {log}")
        if process.poll() is not None:
            raise ServerDiedError(f"the server does not start: {log.read_text()[-2000:]}")
        yield target
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_up(client: httpx.Client, target: Target) -> bool:
    try:
        return client.get(f"{target.url}/health/live").is_success
    except httpx.TransportError:
        return False

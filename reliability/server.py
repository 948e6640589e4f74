"""A server process on a random model, and what the kernel tells of a process."""

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
    """What a process holds at one moment, from /proc."""

    rss_bytes: int
    """Memory that is resident."""
    files: int
    """Open file descriptors."""
    threads: int
    """Threads."""
    cpu_s: float
    """Seconds of CPU that it took so far, its dead children included."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs on this machine."""

    port: int
    """Where it listens on the loopback."""
    pid: int
    """Its process."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def state(self) -> ProcessState:
        """Returns what its process holds now.

        Raises:
            ServerDiedError: there is no such process any more.
        """
        return process_state(self.pid)

    def open_files(self) -> list[str]:
        """Returns what its open file descriptors are."""
        places = (Path("/proc") / str(self.pid) / "fd").iterdir()
        names = []
        for place in places:
            with suppress(OSError):  # it was closed meanwhile
                names.append(str(place.readlink()))
        return names

    def is_alive(self) -> bool:
        """Returns whether its process runs."""
        try:
            self.state()
        except ServerDiedError:
            return False
        return True


class ServerDiedError(RuntimeError):
    """The server's process is gone."""


def process_state(pid: int) -> ProcessState:
    """Returns what a process holds now.

    Raises:
        ServerDiedError: there is no such process.
    """
    place = Path("/proc") / str(pid)
    try:
        told = dict(
            line.split(":", 1)
            for line in (place / "status").read_text().splitlines()
            if ":" in line
        )
        times = (place / "stat").read_text().rpartition(")")[2].split()
        files = sum(1 for _ in (place / "fd").iterdir())
    except OSError:
        raise ServerDiedError(f"no process {pid} any more") from None
    if "VmRSS" not in told:  # a zombie, which nobody has waited for
        raise ServerDiedError(f"process {pid} has ended")
    return ProcessState(
        rss_bytes=1024 * int(told["VmRSS"].split()[0]),
        files=files,
        threads=int(told["Threads"]),
        cpu_s=_TICK_S * sum(map(int, times[11:15])),
    )


def wait_until(is_so: Callable[[], bool], *, timeout_s: float) -> bool:
    """Returns True as soon as something is so, False if it is not within so many seconds."""
    end_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def on_cores(cores: Iterable[int]) -> Iterator[None]:
    """Has this thread, and what it starts, use some cores only for the length of a `with`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def server(repository: Path, folder: Path, **flags: object) -> Iterator[Target]:
    """Runs `python -m service serve` for the length of a `with`; its log is `folder`/serve.log.

    Args:
        repository: models.
        folder: for its data and its log.
        flags: of `serve`, as max_snippets=500.

    Raises:
        ServerDiedError: it does not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {"repository": repository, "data": folder / "data", "port": port, **flags}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    log = folder / "serve.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", *words], stdout=out, stderr=out
        )
    target = Target(port, process.pid)
    try:
        if not wait_until(lambda: process.poll() is not None or _is_up(target), timeout_s=_START_S):
            raise ServerDiedError(f"the server does not answer, see {log}")
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


def _is_up(target: Target) -> bool:
    try:
        return httpx.get(f"{target.url}/health/live", timeout=5).is_success
    except httpx.TransportError:
        return False

"""Our service and its peers as processes: how each is started, what memory it takes, its end."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from load import Connection

ROOT: Final = Path(__file__).parents[2]
PEERS: Final = Path(__file__).parent / "peers"
CORES: Final = len(os.sched_getaffinity(0))
"""Processors that all servers share."""
OURS: Final = "service"
PEER_NAMES: Final = ("mosec", "ray", "bentoml", "litserve")
START_S: Final = 120.0
"""Longest start."""
_STOP_S = 10.0
_MARK = "ECM_BENCHMARK"
"""Environment variable that all processes of a server have, also those that left their parent."""
_TIMEOUT_S = 600
_MAX_BODY_BYTES = 64 * 1024 * 1024


class ServerError(Exception):
    """A server does not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a peer shares the cores."""

    workers: int
    """Processes that compute."""
    threads: int
    """Threads of onnxruntime in each."""

    def __str__(self) -> str:
        return f"{self.workers} x {self.threads}"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that can be started."""

    name: str
    """`service`, or which peer."""
    form: Form | None
    """How it shares the cores; None for ours, which decides by itself."""
    folder: Path
    """Where prepare.py wrote; logs go there too."""
    python: Path
    """Interpreter of its environment."""

    def command(self, port: int) -> list[str]:
        """Returns what starts it."""
        python = str(self.python)
        if self.name == OURS:
            return [python, "-m", "service", "serve", "--repository", str(self.folder / "models"),
                    "--data", str(self.folder / "data"), "--port", str(port),
                    "--log-level", "warning"]  # fmt: skip
        if self.name == "bentoml":
            return [python, "-m", "bentoml", "serve", "on_bentoml:Localizer", "--working-dir",
                    str(PEERS), "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
        return [python, str(PEERS / f"on_{self.name}.py")]

    def environment(self, port: int) -> dict[str, str]:
        """Returns its environment variables; what it keeps goes below the folder."""
        given = {name: value for name, value in os.environ.items()
                 if not name.startswith(("ECM_", "MOSEC_", "BENTOML_", "RAY_"))}  # fmt: skip
        given |= {"PYTHONPATH": str(ROOT), _MARK: uuid4().hex}
        if self.form is None:
            return given
        return given | {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "PEER_MODEL": str(self.folder / "models/ecm/1/model.onnx"),
            "PEER_WORKERS": str(self.form.workers),
            "PEER_THREADS": str(self.form.threads),
            "PEER_PORT": str(port),
            **self._of_its_own(port),
        }

    def _of_its_own(self, port: int) -> dict[str, str]:
        """Returns what a peer reads by itself."""
        haproxy = self.folder / "haproxy"
        return {
            "mosec": {
                "MOSEC_ADDRESS": "127.0.0.1",
                "MOSEC_PORT": str(port),
                "MOSEC_TIMEOUT": str(1000 * _TIMEOUT_S),
                "MOSEC_MAX_REQUEST_SIZE": str(_MAX_BODY_BYTES),
                "MOSEC_LOG_LEVEL": "warning",
            },
            "bentoml": {"BENTOML_DO_NOT_TRACK": "True"},
            "litserve": {},
            "ray": {
                "RAY_SERVE_ENABLE_HA_PROXY": "1",
                "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
                "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
                "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
                "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
                "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
                "RAY_TMPDIR": str(self.folder),
                "RAY_USAGE_STATS_ENABLED": "0",
            },
        }[self.name]


@dataclass(slots=True)
class Running:
    """A server that runs."""

    port: int
    """Where it listens."""
    mark: str
    """What tells its processes from others."""
    samples: list[int] = field(default_factory=list)
    """Its memory in bytes, whenever it was looked at."""

    def watch(self) -> None:
        """Looks at its memory: resident sizes of all its processes, added up."""
        self.samples.append(sum(_resident_bytes(pid) for pid in processes(self.mark)))


@contextlib.contextmanager
def running(server: Server, request: bytes) -> Iterator[Running]:
    """Runs a server for the length of a `with`; it has answered the request once.

    Raises:
        ServerError: it does not start.
    """
    port = _free_port()
    environment = server.environment(port)
    log = server.folder / f"{server.name}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            server.command(port), env=environment, cwd=server.folder, stdin=subprocess.DEVNULL,
            stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    started = Running(port, environment[_MARK])
    try:
        _wait(process, port, request, log)
        yield started
    finally:
        _stop(process, started.mark)


def _free_port() -> int:
    """Returns a port that nobody listens on, of those that the kernel gives to no client."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait(process: "subprocess.Popen[bytes]", port: int, request: bytes, log: Path) -> None:
    deadline_s, last = time.monotonic() + START_S, "nothing"
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise ServerError(f"it ended with status {process.returncode}: {_last_lines(log)}")
        connection = Connection(port)
        try:
            answer = connection.ask(request)
            if answer.status == 200:
                return
            last = f"status {answer.status}: {answer.content[:200]!r}"
        except (OSError, KeyError, ValueError) as error:
            last = repr(error)
        finally:
            connection.close()
        time.sleep(0.25)
    raise ServerError(f"no answer within {START_S:g} s, {last} at last: {_last_lines(log)}")


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-5:]) or "it said nothing"


def processes(mark: str) -> list[int]:
    """Returns the ids of the processes that have a mark in their environment."""
    wanted, found = f"{_MARK}={mark}".encode(), []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                continue  # it has just ended, or is another user's
    return found


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0  # it has just ended
    return os.sysconf("SC_PAGE_SIZE") * int(pages)


def _stop(process: "subprocess.Popen[bytes]", mark: str) -> None:
    process.send_signal(signal.SIGTERM)
    deadline_s = time.monotonic() + _STOP_S
    while processes(mark) and time.monotonic() < deadline_s:
        process.poll()  # collects it, or its entry would stay
        time.sleep(0.1)
    for pid in processes(mark):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def ours(folder: Path) -> Server:
    """Returns our service as it is when nothing is set."""
    return Server(OURS, None, folder, Path(sys.executable))


def peers_python() -> Path:
    """Returns the interpreter of the peers' own environment, made if need be.

    Raises:
        ServerError: their packages cannot be installed.
    """
    folder = Path(sys.prefix) / "peers"
    python, ready = folder / "bin/python", folder / "requirements.txt"
    wanted = (PEERS / "requirements.txt").read_text()
    if not (ready.exists() and ready.read_text() == wanted):
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet", "--requirement"]
            subprocess.run([*install, PEERS / "requirements.txt"], check=True)
        except subprocess.CalledProcessError as error:
            raise ServerError(f"the peers cannot be installed: {error}") from error
        ready.write_text(wanted)
    return python

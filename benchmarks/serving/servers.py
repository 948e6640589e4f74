"""The service and its peers as processes: start, memory and end."""

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
"""Number of cores that servers and clients share."""
OURS: Final = "service"
PEER_NAMES: Final = ("mosec", "ray", "bentoml", "litserve")
START_S: Final = 120.0
"""Longest time until a server answers."""
_STOP_S = 10.0
_MARK = "ECM_BENCHMARK"
"""Environment variable that marks all processes of a server, even those without their parent."""
_TIMEOUT_S = 600
_MAX_BODY_BYTES = 64 * 1024 * 1024


class ServerError(Exception):
    """A server does not start."""


@dataclass(frozen=True, slots=True)
class Form:
    """Division of the cores among processes of a peer."""

    workers: int
    """Number of processes that compute."""
    threads: int
    """Threads of onnxruntime in each process."""

    def __str__(self) -> str:
        return f"{self.workers} x {self.threads}"


@dataclass(frozen=True, slots=True)
class Server:
    """A server and all that is needed to start it."""

    name: str
    """`service`, or the name of the peer."""
    form: Form | None
    """Division of the cores; None for the service, which decides by itself."""
    folder: Path
    """Folder that prepare.py wrote; it also has the logs."""
    python: Path
    """Python interpreter of the server's environment."""
    precision: str = "fp32"
    """Precision in which the service runs the network; the peers run one file."""

    def command(self, port: int) -> list[str]:
        """Returns the command that starts the server."""
        python = str(self.python)
        if self.name == OURS:
            return [python, "-m", "service", "serve", "--repository", str(self.folder / "models"),
                    "--data", str(self.folder / "data"), "--port", str(port),
                    "--precision", self.precision, "--log-level", "warning"]  # fmt: skip
        if self.name == "bentoml":
            return [python, "-m", "bentoml", "serve", "on_bentoml:Localizer", "--working-dir",
                    str(PEERS), "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
        return [python, str(PEERS / f"on_{self.name}.py")]

    def environment(self, port: int) -> dict[str, str]:
        """Returns the environment variables; the server writes only below `folder`."""
        variables = {name: value for name, value in os.environ.items()
                 if not name.startswith(("ECM_", "MOSEC_", "BENTOML_", "RAY_"))}  # fmt: skip
        variables |= {"PYTHONPATH": str(ROOT), _MARK: uuid4().hex}
        if self.form is None:
            return variables
        return variables | {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "PEER_MODEL": str(self.folder / "network.onnx"),
            "PEER_WORKERS": str(self.form.workers),
            "PEER_THREADS": str(self.form.threads),
            "PEER_PORT": str(port),
            **self._peer_variables(port),
        }

    def _peer_variables(self, port: int) -> dict[str, str]:
        """Returns the environment variables that a peer itself defines."""
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
    """A running server."""

    port: int
    """Port on which the server listens."""
    mark: str
    """Value of the environment variable that marks its processes."""
    samples: list[int] = field(default_factory=list)
    """Memory of the server in bytes, at each call of `watch`."""

    def watch(self) -> None:
        """Adds a sample of the memory: the sum of the resident sizes of all processes."""
        self.samples.append(sum(_resident_bytes(pid) for pid in processes(self.mark)))


@contextlib.contextmanager
def running(server: Server, request: bytes) -> Iterator[Running]:
    """Returns a context in which a server runs; it has answered the request once.

    Raises:
        ServerError: the server does not start.
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
    """Returns a free port outside the range that the kernel gives to clients."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait(process: "subprocess.Popen[bytes]", port: int, request: bytes, log: Path) -> None:
    deadline_s, last = time.monotonic() + START_S, "no connection"
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise ServerError(
                f"the server ended with status {process.returncode}: {_last_lines(log)}"
            )
        connection = Connection(port)
        try:
            response = connection.send(request)
            if response.status == 200:
                return
            last = f"status {response.status}: {response.content[:200]!r}"
        except (OSError, KeyError, ValueError) as error:
            last = repr(error)
        finally:
            connection.close()
        time.sleep(0.25)
    raise ServerError(
        f"no response within {START_S:g} s; last attempt: {last}; log: {_last_lines(log)}"
    )


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-5:]) or "the log is empty"


def processes(mark: str) -> list[int]:
    """Returns the ids of the processes whose environment has the mark."""
    variable, ids = f"{_MARK}={mark}".encode(), []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if variable in (folder / "environ").read_bytes().split(b"\0"):
                    ids.append(int(folder.name))
            except OSError:
                continue  # the process has just ended, or belongs to another user
    return ids


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0  # the process has just ended
    return os.sysconf("SC_PAGE_SIZE") * int(pages)


def _stop(process: "subprocess.Popen[bytes]", mark: str) -> None:
    process.send_signal(signal.SIGTERM)
    deadline_s = time.monotonic() + _STOP_S
    while processes(mark) and time.monotonic() < deadline_s:
        process.poll()  # reaps the process; otherwise its entry in /proc stays
        time.sleep(0.1)
    for pid in processes(mark):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def ours(folder: Path, precision: str) -> Server:
    """Returns the service with its default settings but the precision."""
    return Server(OURS, None, folder, Path(sys.executable), precision)


def peers_python() -> Path:
    """Returns the Python interpreter of the peers' environment, which is created if needed.

    Raises:
        ServerError: the packages of the peers cannot be installed.
    """
    folder = Path(sys.prefix) / "peers"
    python, ready = folder / "bin/python", folder / "requirements.txt"
    requirements = (PEERS / "requirements.txt").read_text()
    if not (ready.exists() and ready.read_text() == requirements):
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet", "--requirement"]
            subprocess.run([*install, PEERS / "requirements.txt"], check=True)
        except subprocess.CalledProcessError as error:
            raise ServerError(f"cannot install the peers: {error}") from error
        ready.write_text(requirements)
    return python

"""Start and shutdown of service processes."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

from ecm_client.clients import Client
from ecm_client.errors import LocalizerServiceError
from reliability.server import eventually

ROOT = Path(__file__).parents[3]


def request(features_TD: np.ndarray) -> bytes:
    """A complete POST /localize."""
    rows, columns = features_TD.shape
    head = (
        "POST /localize HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
        f"X-Shape: {rows},{columns}\r\nX-Dtype: float32\r\nContent-Length: {features_TD.nbytes}"
    )
    return f"{head}\r\n\r\n".encode() + features_TD.tobytes()


def connect(process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", process.port), timeout=30)


def is_listening(process) -> bool:
    try:
        connect(process).close()
    except ConnectionRefusedError:
        return False
    return True


def everything(connection: socket.socket) -> bytes:
    """All bytes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def answer(connection: socket.socket) -> bytes:
    """One response on a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    [length] = [
        int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"
    ]
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def assert_last_answer(received: bytes) -> None:
    """Asserts a response 200 with segments and `Connection: close`."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), received
    assert b"connection: close" in head.lower()
    assert json.loads(body)["segments"]


@pytest.fixture
def start(launch, repository: Path, tmp_path: Path):
    """Starts a service for `small` without jobs."""

    def start(**flags: object):
        return launch("serve", repository=repository, data=tmp_path / "data", jobs=0, **flags)

    return start


def test_a_draining_service_is_not_ready_but_accepts_requests(start, features_TD) -> None:
    """Readiness fails at once, requests still get responses, and liveness stays."""
    process = start(drain_s=100)
    with httpx.Client(base_url=process.url) as client:
        assert "connection" not in client.get("/health").headers
        process.process.send_signal(signal.SIGTERM)
        eventually(lambda: client.get("/health/ready").status_code == 503)
        assert client.get("/health/ready").json() == {"status": "draining"}
        assert client.get("/health/live").status_code == 200
        told = client.get("/health")
        assert (told.status_code, told.json()["status"]) == (503, "draining")
        told = client.get("/v2/health/ready")
        assert told.status_code == 503
        assert "draining" in told.json()["error"]
        assert told.headers["connection"] == "close"
    with connect(process) as connection:
        connection.sendall(request(features_TD))
        assert_last_answer(everything(connection))
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(timeout=30) == -signal.SIGTERM


def test_requests_in_flight_are_completed_after_the_listener_closed(start, features_TD) -> None:
    """Bodies and headers may still arrive; idle connections are closed."""
    process = start(shutdown_s=100)
    whole = request(features_TD)
    with connect(process) as body, connect(process) as head, connect(process) as idle:
        body.sendall(whole[:-100])
        head.sendall(whole[:20])
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer(idle).startswith(b"HTTP/1.1 200")
        process.process.send_signal(signal.SIGINT)
        eventually(lambda: not is_listening(process))
        assert everything(idle) == b""
        body.sendall(whole[-100:])
        assert_last_answer(everything(body))
        head.sendall(whole[20:])
        assert_last_answer(everything(head))
    assert process.process.wait(timeout=30) == 0


def test_requests_that_the_kernel_received_are_completed(start, features_TD) -> None:
    """These are connections not yet accepted, and requests not yet read on idle connections."""
    process = start(shutdown_s=100)
    with contextlib.ExitStack() as opened:
        idle = opened.enter_context(connect(process))
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer(idle).startswith(b"HTTP/1.1 200")
        process.process.send_signal(signal.SIGSTOP)
        new = [opened.enter_context(connect(process)) for _ in range(8)]
        for connection in (idle, *new):
            connection.sendall(request(features_TD))
        process.process.send_signal(signal.SIGTERM)
        process.process.send_signal(signal.SIGCONT)
        for connection in (idle, *new):
            assert_last_answer(everything(connection))
    assert process.process.wait(timeout=30) == 0


def test_requests_over_the_shutdown_limit_are_cut_off(start, features_TD) -> None:
    """They get no response, so that the client retries elsewhere; the exit status is 0."""
    process = start(shutdown_s=0.3)
    with connect(process) as connection:
        connection.sendall(request(features_TD)[:-100])
        eventually(lambda: is_listening(process))
        assert process.stop() == 0
        with contextlib.suppress(ConnectionResetError):
            assert everything(connection) == b""
    assert "1 requests took longer than 0.3 s" in process.log.read_text()
    assert "Traceback" not in process.log.read_text()


def serve(*flags: object, python_options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python_options, "-m", "service", "serve", *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program uses."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


FILE = Path(__file__)
NO_DATABASE = "postgresql://user:hidden@127.0.0.1:1/jobs"
FAULTS: dict[str, tuple[list[object], list[str]]] = {
    "address": (["--host", "192.0.2.7"], ["192.0.2.7", "--host"]),
    "name": (["--host", "nowhere.invalid"], ["nowhere.invalid", "--host"]),
    "repository": (["--repository", FILE], [str(FILE), "--repository"]),
    "data below a file": (["--data", FILE], [str(FILE), "Not a directory", "--data"]),
    "data on a read-only disk": (["--data", "/sys"], ["/sys", "--data"]),
    "database": (["--database-url", NO_DATABASE], ["refused", "--database-url"]),
    "database's URL": (["--database-url", "mysql://a/b"], ["database_url", "postgresql://"]),
    "keys": (["--api-keys-file", FILE.parent], [str(FILE.parent), "api_keys_file"]),
    "settings": (["--config", FILE], [str(FILE), "TOML"]),
    "settings that are not there": (["--config", "absent.toml"], ["absent.toml", "No such file"]),
    "several": (["--data", FILE, "--processes", 3], [str(FILE), "Not a directory", "--data"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_at_the_start_is_one_line(fault: str, repository: Path, tmp_path: Path) -> None:
    """It names the setting and the remedy, and the exit status is not 0."""
    flags, words = FAULTS[fault]
    usual = ["--repository", repository, "--port", 0, "--data", tmp_path / "data"]
    told = serve(*usual, *flags)
    assert told.returncode in (1, 2)
    lines = told.stderr.splitlines()
    [line] = [line for line in lines if line.startswith("error: ") or " ERROR " in line]
    assert all(word in line for word in words), line
    assert "hidden" not in told.stderr
    assert "Traceback" not in told.stderr


def test_an_error_at_the_start_is_json_in_a_json_log(repository: Path, tmp_path: Path) -> None:
    """Every line of standard error is a JSON object, also with warnings enabled."""
    told = serve("--repository", repository, "--port", 0, "--data", tmp_path / "data",
                 "--database-url", NO_DATABASE, "--log-format", "json",
                 python_options=("-X", "dev"))  # fmt: skip
    assert told.returncode == 1
    lines = [json.loads(line) for line in told.stderr.splitlines()]
    assert [line["level"] for line in lines].count("error") == 1
    assert any(line["logger"] == "py.warnings" for line in lines)


def test_a_taken_port_is_an_error_before_models_are_loaded(taken: int, repository: Path) -> None:
    """The error names the port and the setting."""
    told = serve("--repository", repository, "--port", taken)
    assert told.returncode == 1
    assert f" ERROR service.process.ending port {taken} of 127.0.0.1 is taken" in told.stderr
    assert "--port" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_required_but_missing_cuda_is_an_error(repository: Path) -> None:
    """Several processes report it once."""
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    told = serve("--repository", repository, "--port", 0, "--require-cuda", "true",
                 "--processes", 2)  # fmt: skip
    assert told.returncode == 1
    assert told.stderr.count("ending CUDA was requested") == 1


def children(process) -> set[int]:
    """Process ids of a service with several processes."""
    found = subprocess.run(
        ["pgrep", "-P", str(process.process.pid), "-f", "spawn_main"],
        capture_output=True, text=True,
    )  # fmt: skip
    return {int(word) for word in found.stdout.split()}


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def load(url: str, features_TD: np.ndarray) -> Iterator[list[LocalizerServiceError]]:
    """Sends requests from several threads during a `with`; yields the errors of the clients."""
    over = threading.Event()
    errors: list[LocalizerServiceError] = []

    def ask(client: Client) -> None:
        while not over.is_set():
            try:
                client.localize(features_TD)
            except LocalizerServiceError as error:
                errors.append(error)

    with Client(url) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield errors
        finally:
            over.set()
            for thread in threads:
                thread.join()


def await_starts(process, count: int) -> None:
    started = re.compile(r"server process \d+ started")
    eventually(lambda: len(started.findall(process.log.read_text())) == count)


def neighbours() -> int:
    """A free port whose successor is also free."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port


@pytest.fixture
def several(launch, motion_repository: Path, tmp_path: Path):
    """Two processes that share a port and work on videos."""
    process = launch(
        "serve", repository=motion_repository, data=tmp_path / "data", processes=2, shutdown_s=100
    )
    await_starts(process, 2)
    return process


def test_processes_share_port_and_jobs_and_replace_each_other(
    several, film, tmp_path: Path
) -> None:
    """Each process is killed in turn under load; no client gets an error, and no job is lost."""
    with Client(several.url) as client:
        features_TD = np.zeros((20, client.model("moves", 1).feature_dim), np.float32)
        videos = [film(tmp_path / f"{n}.mp4", np.arange(400 + n) / 25) for n in range(4)]
        jobs = [client.submit_video(video) for video in videos]
        with load(several.url, features_TD) as errors:
            for number, pid in enumerate(sorted(children(several))):
                os.kill(pid, signal.SIGKILL)
                await_starts(several, 3 + number)
        assert errors == []
        eventually(lambda: all(client.job(job.id).state == "done" for job in jobs))
    pids = children(several)
    assert several.stop() == 0
    assert not any(map(is_there, pids))


def test_each_process_has_metrics_and_ends_with_its_parent(start) -> None:
    """After the parent is killed, the processes complete their requests and end."""
    first = neighbours()
    process = start(processes=2, shutdown_s=100, metrics_port=first)
    await_starts(process, 2)
    for port in (first, first + 1):
        assert "ecm_requests" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    pids = children(process)
    process.kill()
    eventually(lambda: not any(map(is_there, pids)))


def test_a_second_signal_ends_all_processes_at_once(start, features_TD) -> None:
    """Requests in flight are lost."""
    process = start(processes=2, shutdown_s=100)
    await_starts(process, 2)
    pids = children(process)
    with connect(process) as connection:
        connection.sendall(request(features_TD)[:-100])
        process.process.send_signal(signal.SIGTERM)
        eventually(lambda: not is_listening(process))
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(timeout=30) == -signal.SIGTERM
        eventually(lambda: not any(map(is_there, pids)))

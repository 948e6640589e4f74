"""A model that takes videos, and real service processes to serve it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reliability.random_model import publish_random_of_videos


@pytest.fixture(scope="session")
def motion_repository(made_once) -> Path:
    """A model repository with one model, `moves`, whose extractor is `motion`."""
    return made_once("moves", lambda root: publish_random_of_videos(root, "moves"))


class Process:
    """A process of the service: started, killed and started again on the same data."""

    def __init__(self, command: str, log: Path, flags: dict[str, object]) -> None:
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        given = flags | ({"port": self.port} if command == "serve" else {})
        words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        self._command = [sys.executable, "-m", "service", command, *words]
        self._is_server = command == "serve"
        self.start()

    def start(self) -> None:
        """Starts it and waits until it is ready."""
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        while not self._is_ready():
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        if not self._is_server:
            return "worker started" in self.log.read_text()
        try:
            return httpx.get(f"{self.url}/health/live", timeout=5).is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Kills it at once; its children find out by themselves."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ends it as an operator does; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


Launch = Callable[..., Process]


@contextlib.contextmanager
def _launcher(logs: Path) -> Iterator[Launch]:
    with contextlib.ExitStack() as processes:

        def start(command: str, **flags: object) -> Process:
            process = Process(command, logs / f"{command}.log", flags)
            processes.callback(process.kill)
            return process

        yield start


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts processes of the service, which end with the test."""
    with _launcher(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def launch_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Starts processes of the service, which end with the last test of the module."""
    with _launcher(tmp_path_factory.mktemp("service")) as start:
        yield start


@pytest.fixture
def service(launch: Launch, motion_repository: Path, tmp_path: Path) -> Process:
    """A service for `moves` with its data in `data`; `file:` references may lie in `videos`."""
    (tmp_path / "videos").mkdir()
    return launch(
        "serve",
        repository=motion_repository,
        data=tmp_path / "data",
        video_roots=f'["{tmp_path / "videos"}"]',
        chunk_snippets=4,
    )

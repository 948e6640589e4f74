"""Several services behind nginx, with the recommended deploy/nginx.conf."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ecm_localizer import AsyncClient, Client, LocalizerServiceError
from reliability.server import eventually

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx; `apt-get install nginx-light`")

MAIN = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 2;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@pytest.fixture(scope="module")
def services(launch_for_module, motion_repository: Path, tmp_path_factory):
    """Two services that share their jobs."""
    data = tmp_path_factory.mktemp("shared") / "data"
    return [
        launch_for_module("serve", repository=motion_repository, data=data, chunk_snippets=4)
        for _ in range(2)
    ]


@pytest.fixture(scope="module")
def url(services, tmp_path_factory) -> Iterator[str]:
    """URL of nginx in front of the services."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = CONFIGURATION.read_text()
    for written, chosen in zip(
        (8000, 8001, 8002), (port, *(s.port for s in services)), strict=True
    ):
        assert text.count(f"127.0.0.1:{written}") == 1
        text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{chosen}")
    (folder / "site.conf").write_text(text)
    user = "" if os.geteuid() else "user root;"  # nobody else may go where tests have their files
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    assert NGINX
    nginx = subprocess.Popen([NGINX, "-e", folder / "error.log", "-c", folder / "nginx.conf"])
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        nginx.terminate()
        nginx.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def features_TD(url: str) -> np.ndarray:
    """Features of a video for the served model."""
    with Client(url) as client:
        columns = client.model("moves", 1).feature_dim
    return np.random.default_rng(0).standard_normal((50, columns), dtype=np.float32)


class Load:
    """Sends requests by all methods of the clients and records the outcomes."""

    def __init__(self, url: str, features_TD: np.ndarray) -> None:
        self.answered = 0
        self.errors: list[LocalizerServiceError] = []
        self._url = url
        self._features_TD = features_TD
        self._over = threading.Event()

    def one_by_one(self) -> None:
        """Sends one request after the other with `Client`."""
        with Client(self._url) as client:
            for features_TD in self._until_over():
                try:
                    client.localize(features_TD)
                    self.answered += 1
                except LocalizerServiceError as error:
                    self.errors.append(error)

    def many(self) -> None:
        """Sends several requests at once with `Client`."""
        with Client(self._url) as client:
            for answer in client.localize_many(self._until_over(), concurrency=2):
                self._note(answer)

    def asynchronously(self) -> None:
        """Sends several requests at once with `AsyncClient`."""

        async def ask() -> None:
            async with AsyncClient(self._url) as client:
                async for answer in client.localize_many(self._until_over(), concurrency=2):
                    self._note(answer)

        asyncio.run(ask())

    def _note(self, answer: object) -> None:
        if isinstance(answer, LocalizerServiceError):
            self.errors.append(answer)
        else:
            self.answered += 1

    def _until_over(self) -> Iterator[np.ndarray]:
        while not self._over.is_set():
            yield self._features_TD

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Sends requests in all these ways during a `with`."""
        threads = [threading.Thread(target=way) for way in
                   (self.one_by_one, self.one_by_one, self.many, self.asynchronously)]  # fmt: skip
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def more(self) -> bool:
        """Waits for a few further responses."""
        before = self.answered
        eventually(lambda: self.answered > before + 20)
        return True


def test_no_client_notices_restarts(url: str, services, features_TD: np.ndarray) -> None:
    """One service ends by SIGKILL and the other by SIGTERM, each under load."""
    load = Load(url, features_TD)
    with load.applied():
        assert load.more()
        services[0].kill()
        assert load.more()
        services[0].start()
        assert load.more()
        assert services[1].stop() == 0
        assert load.more()
        services[1].start()
        assert load.more()
    assert load.errors == []


def test_a_video_is_done_after_its_service_ended(url: str, services, film, tmp_path: Path) -> None:
    """Its events are streamed by a service that is still running."""
    video = film(tmp_path / "film.mp4", np.arange(600) / 25)
    with Client(url) as client, httpx.Client(base_url=url) as http:
        job = client.submit_video(video)
        with http.stream("GET", f"/jobs/{job.id}/events", timeout=60) as events:
            first = next(line for line in events.iter_lines() if line.startswith("event:"))
        assert first in ("event: queued", "event: running")
        assert services[0].stop() == 0
        eventually(lambda: client.job(job.id).state == "done")
        services[0].start()
        assert client.localize(video).snippets == client.job(job.id).result.snippets


def test_nginx_forwards_ids_and_limits_but_not_metrics(url: str, services) -> None:
    """Request ids are forwarded or created, and the body limits are those of the services."""
    with httpx.Client(base_url=url) as client:
        told = client.get("/health", headers={"X-Request-ID": "mine"})
        assert told.headers["x-request-id"] == "mine"
        assert len(client.get("/health").headers["x-request-id"]) == 32
        assert client.get("/metrics").status_code == 404
        assert httpx.get(f"{services[0].url}/metrics").status_code == 200
        limit = 64 * 1024**2
        assert client.post("/v2/repository/index", content=bytes(limit + 1)).status_code == 413
        told = client.post("/localize", content=bytes(limit + 1))
        assert told.status_code == 413
        assert told.json()["type"] == "urn:ecm-localizer:body-too-large"

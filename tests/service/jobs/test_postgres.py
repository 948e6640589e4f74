"""Jobs on PostgreSQL: shared by workers, and kept while the database is unreachable."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ecm_localizer import Client, LocalizerServiceError
from features.motion import MotionExtractor
from reliability.server import eventually

MP4 = {"Content-Type": "video/mp4"}
SNIPPET = round(25 * MotionExtractor.snippet_frames / MotionExtractor.rate_fps)
"""Times of frames at 25 fps."""
PROGRAMS = Path("/usr/lib/postgresql")
"""Folders of Debian's packages, one for each version."""


class Cluster:
    """A private PostgreSQL server. PostgreSQL refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._run("initdb", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C")
        self.start()
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = self._folder / "log"
        self._run("pg_ctl", "start", "-w", "-o", options, "-l", str(log))

    def stop(self) -> None:
        """Ends the server as a crash does."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self._folder / "data", *words],
            user=self._user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            check=True,
        )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running PostgreSQL; without one the test is skipped."""
    folders = sorted(PROGRAMS.glob("*/bin"))
    if not (folders and (folders[-1] / "initdb").exists()):
        pytest.skip(f"no PostgreSQL in {PROGRAMS}; Debian has it in its package postgresql")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:  # its user cannot enter others
        cluster = Cluster(folders[-1], Path(folder))
        yield cluster
        cluster.stop()


@pytest.fixture
def flags(cluster: Cluster, motion_repository: Path, tmp_path: Path) -> dict[str, object]:
    """Settings of processes that share a database of this test only."""
    return {
        "repository": motion_repository,
        "data": tmp_path / "data",
        "database_url": f"{cluster.url}/{tmp_path.name}",
        "chunk_snippets": 2,
        "extraction_threads": 1,
        "feature_cache_bytes": 0,
        "log_level": "debug",
    }


def finished(client: Client, job_id: str):
    eventually(lambda: client.job(job_id).state in ("done", "failed", "cancelled"))
    return client.job(job_id)


def stored_chunks(*logs: Path) -> Counter:
    """Counts how often each chunk of each job was computed and stored."""
    text = "".join(log.read_text() for log in logs)
    return Counter(re.findall(r'chunk stored job="(\S+)" chunk=(\d+)', text))


def test_a_job_survives_a_crash_of_the_database(
    launch, cluster: Cluster, flags: dict, film, tmp_path: Path
) -> None:
    """It is done once. Meanwhile the service answers at once that the client must retry."""
    service = launch("serve", **flags, jobs=0)
    worker = launch("work", **flags)
    video = film(tmp_path / "film.mp4", np.arange(100 * SNIPPET) / 25)
    with Client(service.url, retries=0) as client:
        job = client.submit_video(video)
        eventually(lambda: client.job(job.id).progress.snippets_done)
        cluster.stop()
        try:
            for _ in range(3):
                answer = httpx.post(
                    f"{service.url}/jobs", content=video.read_bytes(), headers=MP4, timeout=5
                )
                assert answer.status_code == 503, answer.text
                assert answer.json()["type"] == "urn:ecm-localizer:jobs-unavailable"
                assert answer.headers["retry-after"]
                with pytest.raises(LocalizerServiceError, match="cannot be reached"):
                    client.job(job.id)
            assert [*(tmp_path / "data" / "incoming").iterdir()] == []
        finally:
            cluster.start()
        now = finished(client, job.id)
        assert now.state == "done", now.error
        assert now.result.snippets == now.progress.snippets_done == 100
        other = client.submit_video(video, max_segments=1)
        assert finished(client, other.id).state == "done"
    assert set(stored_chunks(worker.log).values()) == {1}
    eventually(lambda: [*(tmp_path / "data" / "jobs").iterdir()] == [])


def test_two_workers_share_the_queue(launch, flags: dict, film, tmp_path: Path) -> None:
    """Exactly one worker does each job."""
    service = launch("serve", **flags)
    worker = launch("work", **flags)
    videos = [film(tmp_path / f"{n}.mp4", np.arange((40 + n) * SNIPPET) / 25) for n in range(4)]
    with Client(service.url) as client:
        jobs = [client.submit_video(video) for video in videos]
        for number, job in enumerate(jobs):
            now = finished(client, job.id)
            assert now.state == "done", now.error
            assert now.result.snippets == 40 + number
    assert set(stored_chunks(service.log, worker.log).values()) == {1}
    assert stored_chunks(service.log)
    assert stored_chunks(worker.log)


@pytest.mark.slow
def test_a_worker_can_be_stopped_while_the_database_is_away(
    launch, cluster: Cluster, flags: dict, film, tmp_path: Path
) -> None:
    """It does not wait for the database; after a restart it resumes its job."""
    service = launch("serve", **flags, jobs=0)
    worker = launch("work", **flags)
    with Client(service.url, retries=0) as client:
        job = client.submit_video(film(tmp_path / "film.mp4", np.arange(100 * SNIPPET) / 25))
        eventually(lambda: client.job(job.id).progress.snippets_done)
        cluster.stop()
        try:
            eventually(lambda: "onnection failed" in worker.log.read_text())
            assert worker.stop() == 0
        finally:
            cluster.start()
        worker.start()
        assert finished(client, job.id).state == "done"


@pytest.mark.slow
def test_without_its_database_nothing_starts(launch, cluster: Cluster, flags: dict) -> None:
    """It reports the error and ends."""
    cluster.stop()
    try:
        for command in ("serve", "work"):
            with pytest.raises(AssertionError, match="cannot be reached"):
                launch(command, **flags)
    finally:
        cluster.start()


def test_jobs_that_are_none_are_not_found(launch, flags: dict) -> None:
    """Including names that PostgreSQL cannot store."""
    service = launch("serve", **flags, jobs=0)
    for id_ in ("other", "%00", "a" * 5000):
        url = f"{service.url}/jobs/{id_}"
        for answer in (httpx.get(url), httpx.get(f"{url}/events"), httpx.delete(url)):
            assert answer.status_code == 404, answer.text

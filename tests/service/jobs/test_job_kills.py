"""Processes are killed and restarted; no job is lost, and none is done twice."""

import random
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecm_client.calls import result_of
from ecm_localizer import Client

SNIPPETS_A_CHUNK = 4


@pytest.fixture
def films(film, tmp_path: Path) -> list[Path]:
    """Seven videos of different lengths, some 14 s each."""
    folder = tmp_path / "films"
    folder.mkdir()
    return [film(folder / f"{n}.mp4", np.arange(340 + 16 * n) / 25) for n in range(7)]


def stored_chunks(log: Path) -> Counter:
    """Counts how often each chunk of each job was computed and stored."""
    return Counter(re.findall(r'chunk stored job="(\S+)" chunk=(\d+)', log.read_text()))


def processes_of(session: int) -> list[str]:
    result = subprocess.run(["pgrep", "-s", str(session)], capture_output=True, text=True)
    return result.stdout.split()


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_every_job_is_finished_once_however_often_the_service_is_killed(
    launch, motion_repository: Path, films: list[Path], tmp_path: Path, kills: int
) -> None:
    """At random moments; each kill costs at most one chunk, and nothing is left on disk."""
    chance = random.Random(kills)
    service = launch(
        "serve",
        repository=motion_repository,
        data=tmp_path / "data",
        chunk_snippets=SNIPPETS_A_CHUNK,
        log_level="debug",
    )
    with Client(service.url) as client:
        jobs = [client.submit_video(path, max_segments=7) for path in films]
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, 1.2))
        session = service.process.pid
        service.kill()
        service.start()
        assert_ends(session)
    with Client(service.url) as client:
        for path, job in zip(films, jobs, strict=True):
            while (now := client.job(job.id)).state in ("queued", "running"):
                time.sleep(0.05)
            assert now.state == "done", now.error
            assert now.result.snippets == now.progress.snippets_done
            assert client.localize(path, max_segments=7) == result_of(now)
    stored = stored_chunks(service.log)
    assert {job for job, _ in stored} == {job.id for job in jobs}
    assert sum(stored.values()) - len(stored) <= kills
    assert [*(tmp_path / "data" / "jobs").iterdir()] == []
    assert service.stop() == 0


def assert_ends(session: int) -> None:
    """The children of a killed process end themselves."""
    end_s = time.monotonic() + 10
    while alive := processes_of(session):
        assert time.monotonic() < end_s, alive
        time.sleep(0.05)


def test_a_worker_takes_over_from_a_dead_one(
    launch, motion_repository: Path, films: list[Path], tmp_path: Path
) -> None:
    """Without a restart of the killed worker, and from its last chunk."""
    flags = {"repository": motion_repository, "data": tmp_path / "data",
             "chunk_snippets": SNIPPETS_A_CHUNK, "log_level": "debug"}  # fmt: skip
    service = launch("serve", **flags, jobs=0)
    first = launch("work", **flags)
    with Client(service.url) as client:
        job = client.submit_video(films[0])
        while not client.job(job.id).progress.snippets_done:
            time.sleep(0.02)
        first.kill()
        launch("work", **flags)
        while (now := client.job(job.id)).state != "done":
            assert now.state in ("queued", "running"), now.error
            time.sleep(0.05)
    stored = stored_chunks(first.log)
    assert len(stored) == now.result.snippets // SNIPPETS_A_CHUNK + 1
    assert sum(stored.values()) <= len(stored) + 1


def test_a_service_that_shuts_down_keeps_its_jobs_unfinished(
    launch, motion_repository: Path, films: list[Path], tmp_path: Path
) -> None:
    """It ends at once, by that signal, and resumes its jobs when it starts again."""
    service = launch("serve", repository=motion_repository, data=tmp_path / "data",
                     chunk_snippets=2)  # fmt: skip
    with Client(service.url) as client:
        job = client.submit_video(films[6])
        while not client.job(job.id).progress.snippets_done:
            time.sleep(0.02)
    assert service.stop() == 0
    service.start()
    with Client(service.url) as client:
        while (now := client.job(job.id)).state in ("queued", "running"):
            time.sleep(0.05)
    assert now.state == "done"

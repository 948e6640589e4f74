"""Jobs outlive what they name: models, releases, repeated requests and a moved clock."""

import asyncio
import base64
import os
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep, time

import numpy as np
import pytest

from ecm_client.schemas import Job, LocalizeOptions
from model.repository import publish
from service.errors import IdempotencyConflictError, QueueFullError, UnknownJobError
from service.jobs.intake import Videos
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper
from service.models.served_engine import ServingConfig
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.videos.data_folder import ABANDONED_S, DataFolder
from service.videos.uploads import Uploads
from service.videos.video_request import VideoRequest

Open = Callable[..., Videos]


@pytest.fixture
def models(motion_repository: Path, tmp_path: Path) -> Path:
    """A repository with `moves`, version 1, that a test may change."""
    content = (motion_repository / "moves" / "1" / "model.onnx").read_bytes()
    publish(tmp_path / "models", "moves", lambda path: path.write_bytes(content))
    return tmp_path / "models"


@pytest.fixture
def opened(models: Path, tmp_path: Path) -> Iterator[Open]:
    """Opens the part of a service that accepts videos, under the policy `newest`."""
    started: list[Videos] = []

    def start(**settings: object) -> Videos:
        given = Settings(
            repository=models, data=tmp_path / "data", versions={"*": "newest"}, **settings
        )
        catalog = Catalog()
        keeper = ModelKeeper(catalog, models, ServingConfig(), given.versions)
        videos = Videos(given, catalog, keeper, Metrics(catalog))
        videos.start()
        videos.keeper_of_test = keeper  # type: ignore[attr-defined]
        started.append(videos)
        return videos

    yield start
    for videos in started:
        videos.stop()


@pytest.fixture
def clip(film, tmp_path: Path) -> bytes:
    """A short video."""
    return film(tmp_path / "clip.mp4", np.arange(50) / 25).read_bytes()


async def _parts(content: bytes):
    yield content


def submit(videos: Videos, id_: str, content: bytes, **options: object) -> Job:
    """Uploads and submits a video."""

    async def run() -> Job:
        upload = await videos.uploads.receive(_parts(content))
        return await videos.submit(id_, VideoRequest(LocalizeOptions(**options), upload=upload))

    return asyncio.run(run())


def ended(videos: Videos, id_: str) -> Job:
    """Returns a job once it is finished."""
    end_s = monotonic() + 120
    while (job := asyncio.run(videos.jobs.find(id_))).state in ("queued", "running"):
        assert monotonic() < end_s, job
        sleep(0.05)
    return job


def job_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def publish_next(models: Path) -> int:
    content = (models / "moves" / "1" / "model.onnx").read_bytes()
    return publish(models, "moves", lambda path: path.write_bytes(content)).version


def test_a_queued_job_runs_on_the_version_that_it_names(
    opened: Open, models: Path, clip: bytes
) -> None:
    """A newer version comes while the job waits, and the worker starts with the newer one alone."""
    queue = opened(jobs=0)
    assert submit(queue, job_id(1), clip).state == "queued"
    publish_next(models)
    worker = opened()
    assert [entry.name for entry in worker.keeper_of_test.catalog.entries] == ["moves/2"]
    job = ended(worker, job_id(1))
    assert job.state == "done", job.error
    assert job.result is not None
    assert job.result.model.version == 1
    worker.keeper_of_test.refresh()
    assert worker.keeper_of_test.catalog.kept == ()  # no open job needs it any more


def test_a_job_waits_for_a_model_that_is_not_served_yet(
    opened: Open, models: Path, clip: bytes, tmp_path: Path
) -> None:
    """Other jobs run meanwhile, and the job goes on when the version is there."""
    queue = opened(jobs=0)
    second = publish_next(models)
    queue.keeper_of_test.refresh()
    submit(queue, job_id(1), clip)
    (models / "moves" / str(second)).rename(tmp_path / "away")
    worker = opened()
    while job_id(1) not in worker._worker._steps.postponed:
        sleep(0.02)
    submit(worker, job_id(2), clip)
    assert ended(worker, job_id(2)).state == "done"
    assert asyncio.run(worker.jobs.find(job_id(1))).state in ("queued", "running")
    (tmp_path / "away").rename(models / "moves" / str(second))
    worker.keeper_of_test.refresh()
    job = ended(worker, job_id(1))
    assert job.result is not None, job.error
    assert job.result.model.version == second


def test_a_job_whose_model_never_comes_fails_with_the_reason(
    opened: Open, models: Path, clip: bytes, tmp_path: Path
) -> None:
    """After `model_wait_s`."""
    queue = opened(jobs=0)
    submit(queue, job_id(1), clip)
    publish_next(models)
    (models / "moves" / "1").rename(tmp_path / "away")
    job = ended(opened(model_wait_s=0), job_id(1))
    assert job.error is not None
    assert (job.state, job.error.status) == ("failed", 404)


def test_a_repeated_request_gets_its_job_whatever_is_served_now(
    opened: Open, models: Path, clip: bytes
) -> None:
    """After a reload, for a model that is gone, and with a full queue; another request does not."""
    videos = opened(jobs=0, max_queued_jobs=1)
    first = submit(videos, job_id(1), clip, min_score=0.5)
    publish_next(models)
    videos.keeper_of_test.refresh()
    assert submit(videos, job_id(1), clip, min_score=0.5).id == first.id
    videos.keeper_of_test.unload("moves")
    assert submit(videos, job_id(1), clip, min_score=0.5).id == first.id
    asyncio.run(videos.jobs.check_room(job_id(1)))
    with pytest.raises(QueueFullError):
        asyncio.run(videos.jobs.check_room(job_id(2)))
    for content, min_score in ((clip, 0.4), (clip + b"0", 0.5)):
        with pytest.raises(IdempotencyConflictError):
            submit(videos, job_id(1), content, min_score=min_score)


def test_the_queue_holds_its_bound_against_many_at_once(
    opened: Open, clip: bytes, tmp_path: Path
) -> None:
    """Of 24 simultaneous requests at a bound of 5, five are let in; the others leave nothing."""
    videos = opened(jobs=0, max_queued_jobs=5)

    def attempt(number: int) -> bool:
        try:
            submit(videos, job_id(number), clip)
        except QueueFullError:
            return False
        return True

    with ThreadPoolExecutor(24) as pool:
        let_in = list(pool.map(attempt, range(24)))
    assert sum(let_in) == 5
    assert len(list((tmp_path / "data" / "jobs").iterdir())) == 5
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def names_of_classes(value: object) -> list[str]:
    """Returns the module of each object in a value that is not of Python itself."""
    if isinstance(value, dict):
        return [name for one in value.values() for name in names_of_classes(one)]
    if isinstance(value, list | tuple):
        return [name for one in value for name in names_of_classes(one)]
    return [] if type(value).__module__ == "builtins" else [type(value).__module__]


def test_records_of_steps_name_no_class_of_this_software(
    opened: Open, clip: bytes, tmp_path: Path
) -> None:
    """A release that moves a class can therefore continue jobs; also those that will fail."""
    videos = opened()
    submit(videos, job_id(1), clip)
    submit(videos, job_id(2), b"Dear diary")
    assert [ended(videos, job_id(n)).state for n in (1, 2)] == ["done", "failed"]
    with sqlite3.connect(tmp_path / "data" / "jobs.sqlite") as database:
        rows = database.execute("SELECT output, error FROM operation_outputs").fetchall()
    assert len(rows) > 6
    for output, error in rows:
        assert error is None
        if output:
            assert names_of_classes(pickle.loads(base64.b64decode(output))) == []


def test_an_upload_in_progress_is_not_abandoned_when_the_clock_jumps(tmp_path: Path) -> None:
    """The clock makes it 30 hours old; it is removed only after its process is gone."""
    data = DataFolder(tmp_path / "data")
    old_s = time() - ABANDONED_S - 6 * 3600

    async def parts():
        yield b"first"
        [path] = data.incoming.iterdir()
        os.utime(path, (old_s, old_s))
        data.remove_abandoned(())
        yield b"second"

    upload = asyncio.run(Uploads(data).receive(parts()))
    assert upload.path.read_bytes() == b"firstsecond"
    os.utime(upload.path, (old_s, old_s))
    data.remove_abandoned(())
    assert upload.path.exists()
    upload.file.close()  # as the end of its process does
    data.remove_abandoned(())
    assert not upload.path.exists()


def test_jobs_are_listed_newest_first_in_pages(opened: Open, clip: bytes) -> None:
    """Each job once, also if several share a time; a new job does not shift later pages."""
    videos = opened(jobs=0)
    ids = [job_id(number) for number in range(7)]
    for id_ in ids[:6]:
        submit(videos, id_, clip)
    with videos.jobs._client._sys_db.engine.begin() as database:
        statement = "UPDATE workflow_status SET created_at = 1732809600123 WHERE workflow_uuid < "
        database.exec_driver_sql(f"{statement} '{ids[4]}'")
    asyncio.run(videos.jobs.cancel(ids[5]))
    listed, after = [], None
    while not listed or after:
        page = asyncio.run(videos.jobs.listing.page(2, after))
        listed += page.jobs
        after = page.next
        if len(listed) == 2:
            submit(videos, ids[6], clip)
    assert [job.id for job in listed[:2]] == [ids[5], ids[4]]
    assert sorted(job.id for job in listed) == ids[:6]
    assert [job.state for job in listed] == ["cancelled"] + ["queued"] * 5
    assert all(job.model is not None and job.model.name == "moves" for job in listed)
    assert asyncio.run(videos.jobs.listing.page(100, None)).jobs[0].id == ids[6]
    with pytest.raises(UnknownJobError):
        asyncio.run(videos.jobs.listing.page(2, "yesterday"))


def test_the_list_shows_how_jobs_ended(opened: Open, clip: bytes) -> None:
    """Without reading their results."""
    videos = opened()
    for number, content in ((1, clip), (2, b"Dear diary")):
        submit(videos, job_id(number), content)
        ended(videos, job_id(number))
    states = {job.id: job.state for job in asyncio.run(videos.jobs.listing.page(20, None)).jobs}
    assert states == {job_id(1): "done", job_id(2): "failed"}

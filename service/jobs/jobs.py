"""Jobs on videos as HTTP requests see them: submitted, found, listed, cancelled.

DBOS keeps the jobs in a database. `service.jobs.worker` runs them, in this process or in others.
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from dbos import DBOSClient, WorkflowStatus

from ecm_client.schemas import (
    Job,
    JobVideo,
)
from service.errors import (
    IdempotencyConflictError,
    QueueFullError,
    VideoGoneError,
)
from service.jobs.database import (
    find_status,
    known_status,
    progress_of,
    reachable_database,
    versions_of_open_jobs,
)
from service.jobs.job_videos import JobVideos
from service.jobs.listing import JobListing
from service.jobs.queue_places import QueuePlaces
from service.jobs.record import (
    APPLICATION,
    FINAL,
    OPEN,
    QUEUE,
    VERSION,
    WAITING,
    WORKFLOW,
    JobAttributes,
    VideoAsked,
    VideoJob,
    attributes_of,
    created_at,
    log_end,
    model_of,
    outcome_of,
    request_of,
    state_of,
)
from service.videos.data_folder import DataFolder
from service.videos.uploads import Upload

_SHORTEST_POLL_S, _LONGEST_POLL_S = 0.05, 0.5


class Jobs:
    """Submits, finds and cancels jobs, from any process."""

    def __init__(
        self, data: DataFolder, videos: JobVideos, database_url: str, max_queued: int
    ) -> None:
        """Connects to the database that `prepare_database` prepared.

        Args:
            data: folder with the files of jobs.
            videos: finds the videos of jobs.
            database_url: URL of the database.
            max_queued: most jobs in the queue.

        Raises:
            JobsUnavailableError: the database cannot be reached.
        """
        self._data = data
        self._videos = videos
        self._max_queued = max_queued
        with reachable_database():
            self._client = DBOSClient(
                system_database_url=database_url,
                application_name=APPLICATION,
                retry_connection_errors=False,
            )
        self._places = QueuePlaces(self._client)
        self.listing = JobListing(self._client)
        """Lists the jobs in pages."""

    def close(self) -> None:
        """Closes the connections."""
        self._client.destroy()

    async def check_room(self, id_: str) -> None:
        """Checks that the queue has room for a job, or that the job exists already.

        Raises:
            QueueFullError: too many jobs wait.
            JobsUnavailableError: the database cannot be reached.
        """
        if await find_status(self._client, id_) is None:
            await asyncio.to_thread(self._check_room)

    async def unfinished(self) -> dict[str, int]:
        """Returns the numbers of queued and of running jobs.

        Raises:
            JobsUnavailableError: the database cannot be reached.
        """
        with reachable_database():
            jobs = await self._client.list_workflows_async(
                name=WORKFLOW, status=list(OPEN), load_input=False, load_output=False
            )
        queued = sum(job.status in WAITING for job in jobs)
        return {"queued": queued, "running": len(jobs) - queued}

    def open_versions(self) -> frozenset[tuple[str, int]]:
        """Returns name and version of each model that a queued or running job needs."""
        return versions_of_open_jobs(self._client.list_workflows)

    async def earlier(self, id_: str, asked: VideoAsked) -> Job | None:
        """Returns the job that the same request submitted before, or None.

        Raises:
            IdempotencyConflictError: a job with this id exists for another request.
            JobsUnavailableError: the database cannot be reached.
        """
        status = await find_status(self._client, id_)
        if status is None:
            return None
        if request_of(status) != asked:
            raise IdempotencyConflictError(
                "this Idempotency-Key was used for another video or other options; use a new key"
            )
        return await self._describe(status)

    async def submit(self, id_: str, job: VideoJob, upload: Upload | None) -> Job:
        """Submits a job unless it exists, and returns it.

        The upload is moved to where the worker expects it. A rename needs no hard links, which
        exFAT and many network shares lack.

        Raises:
            QueueFullError: too many jobs wait.
            IdempotencyConflictError: a job with this id exists for another request.
            JobsUnavailableError: the database cannot be reached.
        """
        await asyncio.to_thread(self._enqueue, id_, job, upload)
        submitted = await self.earlier(id_, job.asked)
        assert submitted
        return submitted

    def _enqueue(self, id_: str, job: VideoJob, upload: Upload | None) -> None:
        """Puts a job into the queue unless it exists.

        One request at a time, in all processes: otherwise many would find the same room.
        """
        with reachable_database(), self._data.submitting():
            if self._client.list_workflows(workflow_ids=[id_], load_input=False, load_output=False):
                return
            self._check_room()
            try:
                if upload:
                    upload.path.replace(self._data.upload(id_, upload.sha256))
                self._client.enqueue(
                    {
                        "queue_name": QUEUE,
                        "workflow_name": WORKFLOW,
                        "workflow_id": id_,
                        "app_version": VERSION,
                        "attributes": {
                            "model": job.options.model,
                            "version": job.options.version,
                            "name": job.name,
                        },
                    },
                    job.model_dump_json(),
                )
            except BaseException:
                self._data.remove_job(id_)
                raise

    def _check_room(self) -> None:
        with reachable_database():
            excess = self._client.list_workflows(
                queue_name=QUEUE,
                status=list(WAITING),
                offset=self._max_queued - 1,
                limit=1,
                load_input=False,
                load_output=False,
            )
        if excess:
            raise QueueFullError(f"{self._max_queued} videos wait already; try again later")

    async def find(self, id_: str) -> Job:
        """Returns a job.

        Raises:
            UnknownJobError: there is no job with this id, or it was removed.
            JobsUnavailableError: the database cannot be reached.
        """
        return await self._describe(await known_status(self._client, id_))

    async def request(self, id_: str) -> tuple[VideoAsked, str | None]:
        """Returns the request of a job, and the name of its video.

        Raises:
            UnknownJobError: there is no job with this id, or it was removed.
            VideoGoneError: an early release, which did not record the request, submitted the job.
            JobsUnavailableError: the database cannot be reached.
        """
        status = await known_status(self._client, id_)
        asked = request_of(status)
        if asked is None:
            raise VideoGoneError("the video of this job is unknown; send it again")
        return asked, attributes_of(status).name

    async def cancel(self, id_: str) -> Job:
        """Cancels an unfinished job and returns it; a running one stops after its current chunk.

        Raises:
            UnknownJobError, JobsUnavailableError: raised by `find`.
        """
        job = await self.find(id_)
        if job.state in FINAL:
            return job
        with reachable_database():
            await self._client.cancel_workflow_async(id_)
        if job.state == "queued":
            self._data.remove_job(id_)
            log_end(id_, "cancelled", elapsed_s=0.0)  # no worker will
        return await self.find(id_)

    async def wait(self, id_: str, wait_s: float) -> Job:
        """Returns a job when it is finished, or unfinished after `wait_s` seconds."""
        end_s = monotonic() + wait_s
        async for job in self.changes(id_):
            if job.state in FINAL or monotonic() >= end_s:
                return job
        raise AssertionError

    async def changes(self, id_: str) -> AsyncIterator[Job]:
        """Yields a job repeatedly until it is finished.

        Raises:
            UnknownJobError, JobsUnavailableError: raised by `find`.
        """
        poll_s = _SHORTEST_POLL_S
        while True:
            job = await self.find(id_)
            yield job
            if job.state in FINAL:
                return
            await asyncio.sleep(poll_s)
            poll_s = min(1.5 * poll_s, _LONGEST_POLL_S)

    async def _describe(self, status: WorkflowStatus) -> Job:
        outcome, attributes = outcome_of(status), attributes_of(status)
        id_, state = status.workflow_id, state_of(status, failed=outcome.error is not None)
        return Job(
            id=id_,
            state=state,
            created=created_at(status),
            name=attributes.name,
            model=model_of(attributes),
            progress=await progress_of(self._client, status),
            ahead=await self._places.ahead(id_) if state == "queued" else None,
            video=await asyncio.to_thread(self._video, status, attributes),
            result=outcome.answer,
            error=outcome.error,
        )

    def _video(self, status: WorkflowStatus, attributes: JobAttributes) -> JobVideo | None:
        asked = request_of(status)
        if asked is None or attributes.video is None:
            return None
        found = self._videos.find(status.workflow_id, asked)
        return JobVideo(available=found is not None, **attributes.video.model_dump())

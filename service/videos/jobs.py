"""Jobs on videos as HTTP requests see them: submitted, found, cancelled.

DBOS keeps the jobs in a database. `service.videos.worker` runs them, in this process or in others.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal, TypeAlias, get_args

from dbos import DBOS, DBOSClient, WorkflowStatus
from dbos import error as dbos_errors
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError

from ecm_client.schemas import (
    ActivityNetResponse,
    Job,
    JobList,
    JobProgress,
    JobState,
    JobSummary,
    LocalizeOptions,
    LocalizeResponse,
    ModelVersion,
    Problem,
)
from service.errors import (
    IdempotencyConflictError,
    JobsUnavailableError,
    QueueFullError,
    ServiceError,
    UnknownJobError,
    problem_of,
)
from service.videos.data_folder import DataFolder
from service.videos.uploads import Upload

APPLICATION: Final = "ecm-localizer"
QUEUE: Final = "videos"
WORKFLOW: Final = "localize-video"
PROGRESS: Final = "progress"
VERSION: Final = "2"
"""Version of the workflow's steps. Unfinished jobs of another version wait for a worker of that
version, so it changes only with the steps, not with each release."""

FinalState: TypeAlias = Literal["done", "failed", "cancelled"]
FINAL: Final = frozenset(get_args(FinalState))
_log = logging.getLogger(__name__)

_AT_ONCE = 101
"""Jobs that one query lists: the longest page, and one more that shows whether it is the last."""
_IS_ID = re.compile(r"[0-9a-f-]{36}")
_WAITING = ["ENQUEUED", "DELAYED"]
_OPEN = [*_WAITING, "PENDING"]
_SHORTEST_POLL_S, _LONGEST_POLL_S = 0.05, 0.5


class VideoAsked(BaseModel):
    """Content of a request. Requests that repeat an Idempotency-Key must agree in it."""

    options: LocalizeOptions
    """Options of the request, as they came."""
    uri: str | None = None
    """URI of a referenced video; None if it was uploaded."""
    sha256: str | None = None
    """SHA-256 of the uploaded file."""


class VideoJob(BaseModel):
    """Input of the workflow."""

    asked: VideoAsked
    """The request."""
    options: LocalizeOptions
    """Options of the request, with the chosen model and version."""


class JobOutcome(BaseModel):
    """Output of the workflow."""

    answer: LocalizeResponse | ActivityNetResponse | None = None
    """Segments found in the video."""
    error: Problem | None = None
    """Reason why there are none."""


def prepare_database(url: str) -> None:
    """Creates the tables of the jobs if they do not exist.

    Raises:
        JobsUnavailableError: the database cannot be reached or used.
    """
    dbos_log = logging.getLogger("dbos")
    dbos_log.setLevel(logging.WARNING)  # at INFO it logs each migration
    dbos_log.addFilter(_is_no_cancellation)
    try:
        DBOS.migrate(url)
    except DBAPIError as error:
        reason = str(error.orig).partition("\n")[0]
        raise JobsUnavailableError(
            f"the job database cannot be used: {reason}; start it, or set database_url "
            "(--database-url or ECM_DATABASE_URL) to one that answers"
        ) from error


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Returns False for the traceback that DBOS logs of each cancelled job."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, dbos_errors.DBOSAwaitedWorkflowCancelledError)


class Jobs:
    """Submits, finds and cancels jobs, from any process."""

    def __init__(self, data: DataFolder, database_url: str, max_queued: int) -> None:
        """Connects to the database that `prepare_database` prepared.

        Raises:
            JobsUnavailableError: the database cannot be reached.
        """
        self._data = data
        self._max_queued = max_queued
        with _database():
            self._client = DBOSClient(
                system_database_url=database_url,
                application_name=APPLICATION,
                retry_connection_errors=False,
            )

    def close(self) -> None:
        """Closes the connections."""
        self._client.destroy()

    async def check_room(self, id_: str) -> None:
        """Checks that the queue has room for a job, or that the job exists already.

        Raises:
            QueueFullError: too many jobs wait.
            JobsUnavailableError: the database cannot be reached.
        """
        if await self._status(id_) is None:
            await asyncio.to_thread(self._check_room)

    async def unfinished(self) -> dict[str, int]:
        """Returns the numbers of queued and of running jobs.

        Raises:
            JobsUnavailableError: the database cannot be reached.
        """
        with _database():
            jobs = await self._client.list_workflows_async(
                name=WORKFLOW, status=_OPEN, load_input=False, load_output=False
            )
        queued = sum(job.status in _WAITING for job in jobs)
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
        status = await self._status(id_)
        if status is None:
            return None
        if _asked(status) != asked:
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
        with _database(), self._data.submitting():
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
                        "attributes": job.options.model_dump(include={"model", "version"}),
                    },
                    job.model_dump_json(),
                )
            except BaseException:
                self._data.remove_job(id_)
                raise

    def _check_room(self) -> None:
        with _database():
            excess = self._client.list_workflows(
                queue_name=QUEUE,
                status=_WAITING,
                offset=self._max_queued - 1,
                limit=1,
                load_input=False,
                load_output=False,
            )
        if excess:
            raise QueueFullError(f"{self._max_queued} videos wait already; try again later")

    async def page(self, limit: int, after: str | None) -> JobList:
        """Returns some jobs, newest first.

        Args:
            limit: most jobs of the page.
            after: id of the last job of the page before; None for the newest jobs.

        Raises:
            UnknownJobError: there is no job `after`, or it was removed.
            JobsUnavailableError: the database cannot be reached.
        """
        found: list[WorkflowStatus] = []
        async for status in self._from_newest(None if after is None else await self._known(after)):
            found.append(status)
            if len(found) > limit:
                break
        shown = found[:limit]
        return JobList(
            jobs=[await self._summarize(status) for status in shown],
            next=shown[-1].workflow_id if len(found) > limit else None,
        )

    async def _from_newest(self, after: WorkflowStatus | None) -> AsyncIterator[WorkflowStatus]:
        """Yields all jobs, or those that follow a job, newest first.

        SQLite counts creation times in seconds, so many jobs may share the time of `after`.
        """
        end_time = _iso_time(after.created_at or 0) if after else None
        offset, begun = 0, after is None
        while True:
            with _database():
                statuses = await self._client.list_workflows_async(
                    name=WORKFLOW,
                    end_time=end_time,
                    sort_desc=True,
                    offset=offset,
                    limit=_AT_ONCE,
                    load_input=False,
                    load_output=False,
                )
            for status in statuses:
                if begun:
                    yield status
                begun |= after is not None and status.workflow_id == after.workflow_id
            if len(statuses) < _AT_ONCE:
                return
            offset += _AT_ONCE

    async def _summarize(self, status: WorkflowStatus) -> JobSummary:
        chosen = status.attributes or {}
        failed = bool(chosen.get("failed"))
        if not chosen:  # an earlier release recorded a failure in the output only
            whole = await self._status(status.workflow_id)
            failed = whole is not None and _outcome(whole).error is not None
        return JobSummary(
            id=status.workflow_id,
            state=_state(status, failed=failed),
            created=_created(status),
            model=ModelVersion(name=chosen["model"], version=chosen["version"]) if chosen else None,
        )

    async def find(self, id_: str) -> Job:
        """Returns a job.

        Raises:
            UnknownJobError: there is no job with this id, or it was removed.
            JobsUnavailableError: the database cannot be reached.
        """
        return await self._describe(await self._known(id_))

    async def cancel(self, id_: str) -> Job:
        """Cancels an unfinished job and returns it; a running one stops after its current chunk.

        Raises:
            UnknownJobError, JobsUnavailableError: raised by `find`.
        """
        job = await self.find(id_)
        if job.state in FINAL:
            return job
        with _database():
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

    async def _known(self, id_: str) -> WorkflowStatus:
        status = await self._status(id_) if _IS_ID.fullmatch(id_) else None
        if status is None:
            raise UnknownJobError(f"no job {id_!r}; finished jobs are removed after a while")
        return status

    async def _status(self, id_: str) -> WorkflowStatus | None:
        with _database():
            statuses = await self._client.list_workflows_async(workflow_ids=[id_])
        return statuses[0] if statuses else None

    async def _describe(self, status: WorkflowStatus) -> Job:
        outcome = _outcome(status)
        with _database():
            progress = await self._client.get_event_async(
                status.workflow_id, PROGRESS, timeout_seconds=0
            )
        return Job(
            id=status.workflow_id,
            state=_state(status, failed=outcome.error is not None),
            created=_created(status),
            progress=JobProgress.model_validate_json(progress) if progress else JobProgress(),
            result=outcome.answer,
            error=outcome.error,
        )


def versions_of_open_jobs(
    list_workflows: Callable[..., list[WorkflowStatus]],
) -> frozenset[tuple[str, int]]:
    """Returns name and version of each model that a queued or running job needs.

    Args:
        list_workflows: the function of `DBOS` or of a `DBOSClient`.

    Raises:
        JobsUnavailableError: the database cannot be reached.
    """
    with _database():
        jobs = list_workflows(name=WORKFLOW, status=_OPEN, load_input=False, load_output=False)
    chosen = (job.attributes for job in jobs if job.attributes)
    return frozenset((str(one["model"]), int(one["version"])) for one in chosen)


def mark_failed(job_id: str) -> None:
    """Records that a job failed where a list of jobs finds it without reading results."""
    DBOS.update_workflow_attributes(job_id, {"failed": True}, merge=True)


def log_end(
    job_id: str, state: FinalState, elapsed_s: float, problem: Problem | None = None
) -> None:
    """Logs the end of a job and the time that a worker spent on it."""
    fields = {"job": job_id, "state": state, "duration_ms": round(1e3 * elapsed_s, 3)}
    if problem:
        fields["error"] = problem.detail
    _log.info("job finished", extra={"fields": fields})


def _asked(status: WorkflowStatus) -> VideoAsked | None:
    """Returns the request of a job; None for a job of a release that did not record it."""
    assert status.input
    try:
        return VideoJob.model_validate_json(status.input["args"][0]).asked
    except ValidationError:
        return None


def _outcome(status: WorkflowStatus) -> JobOutcome:
    if status.status == "SUCCESS":
        return JobOutcome.model_validate_json(str(status.output))
    if status.status == "ERROR":
        return JobOutcome(error=problem_of(status.error or ServiceError("unknown")))
    if status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return JobOutcome(
            error=problem_of(ServiceError("the worker crashed on this video too many times"))
        )
    return JobOutcome()


def _state(status: WorkflowStatus, *, failed: bool) -> JobState:
    if failed or status.status in ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        return "failed"
    if status.status == "SUCCESS":
        return "done"
    if status.status == "CANCELLED":
        return "cancelled"
    return "queued" if status.status in _WAITING else "running"


def _created(status: WorkflowStatus) -> datetime:
    return datetime.fromtimestamp((status.created_at or 0) / 1000, UTC)


def _iso_time(time_ms: int) -> str:
    """Returns a time for DBOS, which rounds it down to milliseconds after a float product."""
    return datetime.fromtimestamp((time_ms + 0.5) / 1000, UTC).isoformat()


@contextmanager
def _database() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise JobsUnavailableError(
            "the job database cannot be reached; try again in a moment"
        ) from error
    except FileNotFoundError as error:
        raise JobsUnavailableError("the service's data folder is gone; restore it") from error

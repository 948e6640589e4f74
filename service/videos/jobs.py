"""Jobs on videos as HTTP requests see them: submitted, found, cancelled.

DBOS keeps the jobs in a database. `service.videos.worker` runs them, in this process or in others.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal, TypeAlias, get_args

from dbos import DBOS, DBOSClient, WorkflowStatus
from dbos import error as dbos_errors
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from ecm_client.schemas import (
    ActivityNetResponse,
    Job,
    JobProgress,
    LocalizeOptions,
    LocalizeResponse,
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
VERSION: Final = "1"
"""Version of the workflow's steps. Unfinished jobs of another version wait for a worker of that
version, so it changes only with the steps, not with each release."""

FinalState: TypeAlias = Literal["done", "failed", "cancelled"]
FINAL: Final = frozenset(get_args(FinalState))
_log = logging.getLogger(__name__)

_IS_ID = re.compile(r"[0-9a-f-]{36}")
_WAITING = ["ENQUEUED", "DELAYED"]
_SHORTEST_POLL_S, _LONGEST_POLL_S = 0.05, 0.5


class VideoJob(BaseModel):
    """Input of the workflow."""

    options: LocalizeOptions
    """Options of the request, with the chosen model and version."""
    uri: str | None = None
    """URI of a referenced video; None if it was uploaded."""
    sha256: str | None = None
    """SHA-256 of the uploaded file."""


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

    async def check_room(self) -> None:
        """Checks that the queue has room for one more job.

        Raises:
            QueueFullError: too many jobs wait.
        """
        with _database():
            excess = await self._client.list_workflows_async(
                queue_name=QUEUE,
                status=_WAITING,
                offset=self._max_queued - 1,
                limit=1,
                load_input=False,
                load_output=False,
            )
        if excess:
            raise QueueFullError(f"{self._max_queued} videos wait already; try again later")

    async def unfinished(self) -> dict[str, int]:
        """Returns the numbers of queued and of running jobs.

        Raises:
            JobsUnavailableError: the database cannot be reached.
        """
        with _database():
            jobs = await self._client.list_workflows_async(
                name=WORKFLOW, status=[*_WAITING, "PENDING"], load_input=False, load_output=False
            )
        queued = sum(job.status in _WAITING for job in jobs)
        return {"queued": queued, "running": len(jobs) - queued}

    async def submit(self, id_: str, job: VideoJob, upload: Upload | None) -> Job:
        """Submits a job unless it exists, and returns it.

        The upload is moved to where the worker expects it. A rename needs no hard links, which
        exFAT and many network shares lack. It may replace the same video of a request sent twice.

        Raises:
            IdempotencyConflictError: a job with this id exists for another request.
            JobsUnavailableError: the database cannot be reached.
        """
        if not await self._status(id_):
            if upload:
                upload.path.replace(self._data.upload(id_, upload.sha256))
            with _database():
                await self._client.enqueue_async(
                    {
                        "queue_name": QUEUE,
                        "workflow_name": WORKFLOW,
                        "workflow_id": id_,
                        "app_version": VERSION,
                    },
                    job.model_dump_json(),
                )
        status = await self._status(id_)
        assert status
        if status.input and status.input["args"][0] != job.model_dump_json():
            raise IdempotencyConflictError(
                "this Idempotency-Key was used for another video or other options; use a new key"
            )
        return await self._describe(status)

    async def find(self, id_: str) -> Job:
        """Returns a job.

        Raises:
            UnknownJobError: there is no job with this id, or it was removed.
            JobsUnavailableError: the database cannot be reached.
        """
        status = await self._status(id_) if _IS_ID.fullmatch(id_) else None
        if status is None:
            raise UnknownJobError(f"no job {id_!r}; finished jobs are removed after a while")
        return await self._describe(status)

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
            state=_state(status, outcome),
            created=datetime.fromtimestamp((status.created_at or 0) / 1000, UTC),
            progress=JobProgress.model_validate_json(progress) if progress else JobProgress(),
            result=outcome.answer,
            error=outcome.error,
        )


def log_end(
    job_id: str, state: FinalState, elapsed_s: float, problem: Problem | None = None
) -> None:
    """Logs the end of a job and the time that a worker spent on it."""
    fields = {"job": job_id, "state": state, "duration_ms": round(1e3 * elapsed_s, 3)}
    if problem:
        fields["error"] = problem.detail
    _log.info("job finished", extra={"fields": fields})


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


def _state(
    status: WorkflowStatus, outcome: JobOutcome
) -> Literal["queued", "running", "done", "failed", "cancelled"]:
    if outcome.error:
        return "failed"
    if outcome.answer:
        return "done"
    if status.status == "CANCELLED":
        return "cancelled"
    return "queued" if status.status in _WAITING else "running"


@contextmanager
def _database() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise JobsUnavailableError(
            "the job database cannot be reached; try again in a moment"
        ) from error

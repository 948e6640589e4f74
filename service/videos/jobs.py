"""Jobs on videos as the HTTP side sees them: handed in, asked for, cancelled.

They live in a database, by DBOS. `service.videos.worker` works on them, here or in other processes.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal

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
"""Of the workflow's steps. Unfinished jobs of another version wait until a worker of that version
comes, so it changes only where the steps do, not with each release."""

FINAL: Final = frozenset({"done", "failed", "cancelled"})
_IS_ID = re.compile(r"[0-9a-f-]{36}")
_WAITING = ["ENQUEUED", "DELAYED"]
_SHORTEST_POLL_S, _LONGEST_POLL_S = 0.05, 0.5


class VideoJob(BaseModel):
    """What a worker is told."""

    options: LocalizeOptions
    """As asked for, with the model and version that were chosen."""
    uri: str | None = None
    """Where the video is; None if it was uploaded."""
    sha256: str | None = None
    """Hash of the uploaded file."""


class JobOutcome(BaseModel):
    """What a worker tells."""

    answer: LocalizeResponse | ActivityNetResponse | None = None
    """What was found."""
    error: Problem | None = None
    """Why nothing was."""


def prepare_database(url: str) -> None:
    """Makes the tables of the jobs, if they are not there.

    Raises:
        JobsUnavailableError: the database cannot be reached or used.
    """
    dbos_log = logging.getLogger("dbos")
    dbos_log.setLevel(logging.WARNING)  # it tells of each migration
    dbos_log.addFilter(_is_worth_telling)
    try:
        DBOS.migrate(url)
    except DBAPIError as error:
        reason = str(error.orig).partition("\n")[0]
        raise JobsUnavailableError(
            f"the database of the jobs cannot be used: {reason}; start it, or set database_url "
            "(--database-url or ECM_DATABASE_URL) to one that answers"
        ) from error


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Tells what DBOS logs from its traceback of each job that is cancelled."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, dbos_errors.DBOSAwaitedWorkflowCancelledError)


class Jobs:
    """The jobs, from any process; nothing is worked on here."""

    def __init__(self, data: DataFolder, database_url: str, max_queued: int) -> None:
        """Connects to the database, which has been prepared.

        Raises:
            JobsUnavailableError: it cannot be reached.
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
        """Does nothing if one more job may be handed in.

        Raises:
            QueueFullError: too many wait.
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
        """Returns how many jobs are queued and how many running.

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
        """Hands in a job, unless it is there already, and returns it.

        The upload is linked to where the worker expects it; the caller removes it.

        Raises:
            IdempotencyConflictError: a job of this id was asked for something else.
            JobsUnavailableError: the database cannot be reached.
        """
        if not await self._status(id_):
            if upload:
                with suppress(FileExistsError):  # the same request came twice at once
                    self._data.upload(id_, upload.sha256).hardlink_to(upload.path)
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
                "this Idempotency-Key was used for another video or other options; take a new one"
            )
        return await self._describe(status)

    async def find(self, id_: str) -> Job:
        """Returns a job.

        Raises:
            UnknownJobError: there is none of this id, or none any more.
            JobsUnavailableError: the database cannot be reached.
        """
        status = await self._status(id_) if _IS_ID.fullmatch(id_) else None
        if status is None:
            raise UnknownJobError(f"no job {id_!r}; finished jobs are kept for a while only")
        return await self._describe(status)

    async def cancel(self, id_: str) -> Job:
        """Cancels a job that is not finished, and returns it; a running one ends with its chunk.

        Raises:
            UnknownJobError, JobsUnavailableError: as `find` does.
        """
        job = await self.find(id_)
        if job.state in FINAL:
            return job
        with _database():
            await self._client.cancel_workflow_async(id_)
        if job.state == "queued":
            self._data.remove_job(id_)
        return await self.find(id_)

    async def wait(self, id_: str, wait_s: float) -> Job:
        """Returns a job once it is finished, or as it is after so many seconds."""
        end_s = monotonic() + wait_s
        async for job in self.changes(id_):
            if job.state in FINAL or monotonic() >= end_s:
                return job
        raise AssertionError

    async def changes(self, id_: str) -> AsyncIterator[Job]:
        """Yields a job again and again, until it is finished.

        Raises:
            UnknownJobError, JobsUnavailableError: as `find` does.
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
            found = await self._client.list_workflows_async(workflow_ids=[id_])
        return found[0] if found else None

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


def _outcome(status: WorkflowStatus) -> JobOutcome:
    if status.status == "SUCCESS":
        return JobOutcome.model_validate_json(str(status.output))
    if status.status == "ERROR":
        return JobOutcome(error=problem_of(status.error or ServiceError("unknown")))
    if status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return JobOutcome(
            error=problem_of(ServiceError("this video ended the worker too many times; given up"))
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
            "the database of the jobs cannot be reached; try again in a moment"
        ) from error

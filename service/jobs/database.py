"""The database of the jobs: its tables, its errors, and the queries that several modules need."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dbos import DBOS, DBOSClient, WorkflowStatus
from dbos import error as dbos_errors
from sqlalchemy.exc import DBAPIError

from ecm_client.schemas import JobProgress
from service.errors import JobsUnavailableError, UnknownJobError
from service.jobs.record import OPEN, PROGRESS, WORKFLOW

_IS_ID = re.compile(r"[0-9a-f-]{36}")


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


def versions_of_open_jobs(
    list_workflows: Callable[..., list[WorkflowStatus]],
) -> frozenset[tuple[str, int]]:
    """Returns name and version of each model that a queued or running job needs.

    Args:
        list_workflows: the function of `DBOS` or of a `DBOSClient`.

    Raises:
        JobsUnavailableError: the database cannot be reached.
    """
    with reachable_database():
        jobs = list_workflows(name=WORKFLOW, status=list(OPEN), load_input=False, load_output=False)
    chosen = (job.attributes for job in jobs if job.attributes)
    return frozenset((str(one["model"]), int(one["version"])) for one in chosen)


async def find_status(client: DBOSClient, id_: str) -> WorkflowStatus | None:
    """Returns a job with its input and output, or None if there is no job with this id.

    Raises:
        JobsUnavailableError: the database cannot be reached.
    """
    with reachable_database():
        statuses = await client.list_workflows_async(workflow_ids=[id_])
    return statuses[0] if statuses else None


async def known_status(client: DBOSClient, id_: str) -> WorkflowStatus:
    """Returns a job with its input and output.

    Raises:
        UnknownJobError: there is no job with this id, or it was removed.
        JobsUnavailableError: the database cannot be reached.
    """
    status = await find_status(client, id_) if _IS_ID.fullmatch(id_) else None
    if status is None:
        raise UnknownJobError(f"no job {id_!r}; finished jobs are removed after a while")
    return status


async def progress_of(client: DBOSClient, status: WorkflowStatus) -> JobProgress:
    """Returns the progress that the worker of a job published last.

    Raises:
        JobsUnavailableError: the database cannot be reached.
    """
    with reachable_database():
        progress = await client.get_event_async(status.workflow_id, PROGRESS, timeout_seconds=0)
    return JobProgress.model_validate_json(progress) if progress else JobProgress()


@contextmanager
def reachable_database() -> Iterator[None]:
    """Converts errors of the database during a `with`.

    Raises:
        JobsUnavailableError: the database cannot be reached, or the data folder is gone.
    """
    try:
        yield
    except DBAPIError as error:
        raise JobsUnavailableError(
            "the job database cannot be reached; try again in a moment"
        ) from error
    except FileNotFoundError as error:
        raise JobsUnavailableError("the service's data folder is gone; restore it") from error

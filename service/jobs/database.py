"""The database of the jobs: its tables, its errors, and the models that open jobs need."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dbos import DBOS, WorkflowStatus
from dbos import error as dbos_errors
from sqlalchemy.exc import DBAPIError

from service.errors import JobsUnavailableError
from service.jobs.record import OPEN, WORKFLOW


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

"""The list of jobs, newest first, in pages."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from dbos import DBOSClient, WorkflowStatus

from ecm_client.schemas import JobList, JobSummary
from service.jobs.database import find_status, known_status, progress_of, reachable_database
from service.jobs.record import (
    FINAL,
    WORKFLOW,
    JobAttributes,
    attributes_of,
    created_at,
    model_of,
    outcome_of,
    state_of,
)

_AT_ONCE = 101
"""Jobs that one query lists: the longest page, and one more that shows whether it is the last."""


class JobListing:
    """Lists jobs in pages, without their results."""

    def __init__(self, client: DBOSClient) -> None:
        """Takes the connection to the database."""
        self._client = client

    async def page(self, limit: int, after: str | None) -> JobList:
        """Returns some jobs, newest first.

        Args:
            limit: most jobs of the page.
            after: id of the last job of the page before; None for the newest jobs.

        Raises:
            UnknownJobError: there is no job `after`, or it was removed.
            JobsUnavailableError: the database cannot be reached.
        """
        before = None if after is None else await known_status(self._client, after)
        found: list[WorkflowStatus] = []
        async for status in self._from_newest(before):
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

        Several jobs may share the time of `after`, because SQLite counts creation times in seconds.
        """
        end_time = _iso_time(after.created_at or 0) if after else None
        offset, begun = 0, after is None
        while True:
            with reachable_database():
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
        attributes = attributes_of(status)
        failed = attributes.failed
        if attributes.model is None:  # an earlier release recorded a failure in the output only
            whole = await find_status(self._client, status.workflow_id)
            failed = whole is not None and outcome_of(whole).error is not None
        state = state_of(status, failed=failed)
        return JobSummary(
            id=status.workflow_id,
            state=state,
            created=created_at(status),
            model=model_of(attributes),
            name=attributes.name,
            duration_s=_duration_s(attributes),
            segments=attributes.segments,
            detail=attributes.detail,
            progress=None if state in FINAL else await progress_of(self._client, status),
        )


def _duration_s(attributes: JobAttributes) -> float | None:
    """Returns the length that was localized, or else the one in the header of the video."""
    header_s = attributes.video.duration_s if attributes.video else None
    return header_s if attributes.duration_s is None else attributes.duration_s


def _iso_time(time_ms: int) -> str:
    """Returns a time for DBOS, which rounds it down to milliseconds after a float product."""
    return datetime.fromtimestamp((time_ms + 0.5) / 1000, UTC).isoformat()

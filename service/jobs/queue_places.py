"""The order of the queue: the number of jobs before a queued one."""

from math import inf
from time import monotonic

from dbos import DBOSClient

from service.jobs.database import reachable_database
from service.jobs.record import QUEUE, WAITING

_KNOWN_S = 1.0
"""Time for which the order counts as known."""


class QueuePlaces:
    """Places in the queue. All requests of a second share one query."""

    def __init__(self, client: DBOSClient) -> None:
        """Takes the connection to the database."""
        self._client = client
        self._read_s = -inf
        self._places: dict[str, int] = {}

    async def ahead(self, job_id: str) -> int | None:
        """Returns the number of jobs before a queued one; None if it is no longer queued.

        Raises:
            JobsUnavailableError: the database cannot be reached.
        """
        if monotonic() - self._read_s > _KNOWN_S or job_id not in self._places:
            with reachable_database():
                waiting = await self._client.list_workflows_async(
                    queue_name=QUEUE, status=list(WAITING), load_input=False, load_output=False
                )
            self._places = {job.workflow_id: place for place, job in enumerate(waiting)}
            self._read_s = monotonic()
        return self._places.get(job_id)

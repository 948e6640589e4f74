"""Worker: runs jobs in this process.

A killed worker resumes its jobs when it starts again, or another worker resumes them; see
`service.jobs.recovery`.
"""

import logging
import threading
from functools import partial

from dbos import DBOS

from service.jobs.record import APPLICATION, QUEUE, VERSION, WORKFLOW
from service.jobs.recovery import Recovery
from service.jobs.steps import JobSteps
from service.jobs.worker_slot import WorkerSlot
from service.models.catalog import Catalog
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.videos.data_folder import DataFolder

_log = logging.getLogger(__name__)

_POLL_S = 0.5
_STOP_S = 3.0
"""Longest wait for each of the threads that end with the worker."""


class Worker:
    """Runs up to `settings.jobs` jobs at a time. A process has at most one worker."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        data: DataFolder,
        database_url: str,
        metrics: Metrics,
    ) -> None:
        """Prepares the worker; `start` starts it."""
        self._settings = settings
        self._data = data
        self._database_url = database_url
        self._steps = JobSteps(settings, catalog, data, metrics)

    def start(self) -> None:
        """Starts to run jobs, beginning with those that an earlier process left."""
        settings = self._settings
        self._slot = WorkerSlot(self._data.workers)
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._database_url,
                "application_version": VERSION,
                "executor_id": self._slot.name,
                "log_level": "WARNING",
            }
        )

        @DBOS.workflow(name=WORKFLOW)
        def localize_video(request: str) -> str:
            return self._steps.run(request)

        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=settings.jobs,
            polling_interval_sec=_POLL_S,
            on_conflict="always_update",
        )
        self._recovery = Recovery(
            self._slot,
            self._data,
            self._steps.kept,
            self._steps.running,
            self._steps.postponed,
            settings.keep_jobs_s,
        )
        self._recovery.start()
        fields = {"worker": self._slot.name, "jobs": settings.jobs}
        _log.info("worker started", extra={"fields": fields})

    def stop(self) -> None:
        """Stops all jobs; the next worker that starts resumes them.

        Threads that wait for an unreachable database are abandoned.
        """
        fields = {"worker": self._slot.name, "unfinished": len(self._steps.running)}
        self._steps.stop()
        self._recovery.stop(_STOP_S)
        end = partial(DBOS.destroy, destroy_registry=True)
        ending = threading.Thread(target=end, name="ending", daemon=True)
        ending.start()
        ending.join(_STOP_S)
        self._slot.release()
        _log.info("worker stopped", extra={"fields": fields})

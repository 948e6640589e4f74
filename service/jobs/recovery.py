"""Background tasks of a worker: adopts abandoned jobs and removes old jobs and files."""

import logging
import threading
from collections import Counter
from collections.abc import MutableSet, Set
from datetime import UTC, datetime, timedelta

from dbos import DBOS, WorkflowStatus

from service.jobs.record import QUEUE, VERSION
from service.jobs.worker_slot import WorkerSlot
from service.videos.data_folder import DataFolder
from service.videos.kept_videos import KeptVideos

_log = logging.getLogger(__name__)

_EVERY_S = 2.0
_LOST_ROUNDS = 3
"""Consecutive rounds in which a job is pending but not running, before it is resumed."""
_AT_ONCE = 100
"""Jobs that one call deletes."""
_FINISHED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Recovery(threading.Thread):
    """Thread that adopts the jobs of dead workers, and removes old jobs and files."""

    def __init__(
        self,
        slot: WorkerSlot,
        data: DataFolder,
        kept: KeptVideos,
        running: Set[str],
        postponed: MutableSet[str],
        keep_jobs_s: float,
    ) -> None:
        """Prepares the thread. Launch DBOS before `start`.

        Args:
            slot: slot of this worker.
            data: folder with the files of jobs.
            kept: videos of finished jobs.
            running: ids of the jobs that run in this process, updated by their threads.
            postponed: ids of the jobs that wait for their model, updated by their threads.
            keep_jobs_s: time after which a finished job is removed.
        """
        super().__init__(name="recovery", daemon=True)
        self._slot = slot
        self._data = data
        self._kept = kept
        self._running = running
        self._postponed = postponed
        self._keep_jobs_s = keep_jobs_s
        self._missed: Counter[str] = Counter()
        self._stopping = threading.Event()

    def stop(self, timeout_s: float) -> None:
        """Ends the thread and waits for that, at most `timeout_s`."""
        self._stopping.set()
        self.join(timeout_s)

    def run(self) -> None:
        """Runs all tasks every `_EVERY_S` seconds."""
        while not self._stopping.wait(_EVERY_S):
            try:
                self._adopt()
                self._resume_idle()
                self._forget()
                self._clean()
            except Exception as error:  # the database may be unreachable for a while
                _log.warning("recovery of jobs is postponed: %s", error)

    def _adopt(self) -> None:
        """Puts the jobs of dead workers back in the queue."""
        with self._slot.others_without_process() as dead:
            if not dead:
                return
            for job in _pending(dead):
                fields = {"job": job.workflow_id, "from": job.executor_id}
                _log.warning("job adopted from a dead worker", extra={"fields": fields})
                DBOS.resume_workflow(job.workflow_id, queue_name=QUEUE)

    def _resume_idle(self) -> None:
        """Puts own pending jobs that do not run back in the queue.

        They are postponed, or their end could not be recorded because the disk was full, say.
        """
        pending = [job.workflow_id for job in _pending([self._slot.name])]
        idle = [id_ for id_ in pending if id_ not in self._running]
        self._missed = Counter({id_: self._missed[id_] + 1 for id_ in idle})
        for id_ in idle:
            if self._missed[id_] < _LOST_ROUNDS:  # the job may be starting or ending
                continue
            if id_ in self._postponed:
                self._postponed.discard(id_)
            else:
                fields = {"job": id_}
                _log.warning("job resumed, its end was not recorded", extra={"fields": fields})
            DBOS.resume_workflow(id_, queue_name=QUEUE)

    def _forget(self) -> None:
        """Deletes jobs that finished more than `keep_jobs_s` ago."""
        before = datetime.now(UTC) - timedelta(seconds=self._keep_jobs_s)
        while old := DBOS.list_workflows(
            status=_FINISHED,
            completed_before=before.isoformat(),
            limit=_AT_ONCE,
            load_input=False,
            load_output=False,
        ):
            for job in old:
                self._kept.remove(job.workflow_id)
            DBOS.delete_workflows([job.workflow_id for job in old])

    def _clean(self) -> None:
        """Removes files of finished jobs, and uploads that never became a job."""
        with self._data.submitting():  # a job that is just submitted has files but no record
            jobs = []
            if ids := self._data.job_ids():  # DBOS lists all jobs if there are no ids
                jobs = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
            for job in jobs:
                if job.status in _FINISHED:
                    self._data.remove_job(job.workflow_id)
            self._data.remove_abandoned({job.workflow_id for job in jobs})


def _pending(workers: list[str]) -> list[WorkflowStatus]:
    return DBOS.list_workflows(
        status="PENDING",
        executor_id=workers,
        app_version=VERSION,
        load_input=False,
        load_output=False,
    )

"""What a worker sees to beside its jobs: those that others left, and what nobody needs any more."""

import logging
import threading
from collections import Counter
from collections.abc import Set
from datetime import UTC, datetime, timedelta

from dbos import DBOS, WorkflowStatus

from service.videos.data_folder import DataFolder
from service.videos.jobs import QUEUE, VERSION
from service.videos.worker_slot import WorkerSlot

_log = logging.getLogger(__name__)

_EVERY_S = 2.0
_LOST_ROUNDS = 3
_AT_ONCE = 100
_FINISHED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Housekeeping(threading.Thread):
    """Takes over from workers that are gone, and removes what nobody needs any more."""

    def __init__(
        self,
        slot: WorkerSlot,
        data: DataFolder,
        at_work: Set[str],
        stopping: threading.Event,
        keep_jobs_s: float,
    ) -> None:
        """Prepares it; DBOS has to be launched before it is started.

        Args:
            slot: which worker this process is.
            data: where jobs have their files.
            at_work: ids of the jobs that this process works on, as they are at any time.
            stopping: ends it, once set.
            keep_jobs_s: how long a finished job is told of.
        """
        super().__init__(name="housekeeping", daemon=True)
        self._slot = slot
        self._data = data
        self._at_work = at_work
        self._keep_jobs_s = keep_jobs_s
        self._missed: Counter[str] = Counter()
        self._stopping = stopping

    def run(self) -> None:
        """Does all of it again and again."""
        while not self._stopping.wait(_EVERY_S):
            try:
                self._adopt()
                self._take_up_lost()
                self._forget()
                self._clean()
            except Exception as error:  # the database may be away for a while
                _log.warning("housekeeping is put off: %s", error)

    def _adopt(self) -> None:
        """Puts the jobs of workers that are gone back in the queue."""
        with self._slot.others_without_process() as gone:
            if not gone:
                return
            for job in _pending(gone):
                _log.warning("job %s is taken over from %s", job.workflow_id, job.executor_id)
                DBOS.resume_workflow(job.workflow_id, queue_name=QUEUE)

    def _take_up_lost(self) -> None:
        """Puts own jobs back whose end could not be recorded: the disk was full, for one."""
        pending = [job.workflow_id for job in _pending([self._slot.name])]
        idle = [id_ for id_ in pending if id_ not in self._at_work]
        self._missed = Counter({id_: self._missed[id_] + 1 for id_ in idle})
        for id_ in idle:
            if self._missed[id_] >= _LOST_ROUNDS:  # it is just being begun or ended otherwise
                _log.warning("job %s is taken up again: its end was not recorded", id_)
                DBOS.resume_workflow(id_, queue_name=QUEUE)

    def _forget(self) -> None:
        """Removes jobs that were finished long ago."""
        before = datetime.now(UTC) - timedelta(seconds=self._keep_jobs_s)
        while old := DBOS.list_workflows(
            status=_FINISHED,
            completed_before=before.isoformat(),
            limit=_AT_ONCE,
            load_input=False,
            load_output=False,
        ):
            DBOS.delete_workflows([job.workflow_id for job in old])

    def _clean(self) -> None:
        """Removes what cancelled jobs left, and uploads that never became a job."""
        jobs = []
        if there := self._data.job_ids():  # DBOS takes none for all
            jobs = DBOS.list_workflows(workflow_ids=there, load_input=False, load_output=False)
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

"""Works on jobs: fetches a video, extracts its features chunk by chunk, localizes.

Each step's outcome is recorded by DBOS, and the features of a chunk lie on the disk before it is.
So a worker that is killed, at whatever moment, goes on where it stood when it starts again; or
another worker does.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from dbos import DBOS, StepOptions
from dbos import error as dbos_errors
from numpy.typing import NDArray

from ecm_client.schemas import JobProgress
from features.video.decoding import VideoLimits
from model.arrays import check_features
from model.cores import cores
from model.errors import LocalizerError, VideoError, WorkerError
from model.spec import Extractor
from model.whole_file import whole_file
from service.errors import ServiceError, problem_of
from service.localize.answer import duration, localize_features
from service.models.catalog import Catalog
from service.references.errors import DownloadError
from service.references.video_files import VideoFile, fetch, reference_rules
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.videos.chunks import Chunk, ChunkTask, ExtractionProcesses
from service.videos.data_folder import DataFolder
from service.videos.extractors import extractor_of
from service.videos.feature_cache import FeatureCache
from service.videos.housekeeping import Housekeeping
from service.videos.jobs import (
    APPLICATION,
    PROGRESS,
    QUEUE,
    VERSION,
    WORKFLOW,
    JobOutcome,
    VideoJob,
)
from service.videos.worker_slot import WorkerSlot

_log = logging.getLogger(__name__)

_POLL_S = 0.5
_STOP_S = 3.0
_SPEED_CHUNKS = 8


class Stopped(BaseException):
    """The worker stops; no Exception, so that DBOS leaves the job as one to go on with."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """What is recorded of a chunk; its features are in a file."""

    rows: int
    """Snippets."""
    ended: bool
    """Whether the video ends here; recorded, since the setting of its size may change."""
    claimed_snippets: int | None
    """Those of the whole video, if its header is right."""
    elapsed_s: float
    """How long it took."""


class Worker:
    """Works on as many jobs at a time as the settings say; one in a process."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        data: DataFolder,
        database_url: str,
        metrics: Metrics,
    ) -> None:
        """Prepares it; nothing is started yet."""
        self._metrics = metrics
        self._settings = settings
        self._catalog = catalog
        self._data = data
        self._database_url = database_url
        self._cache = FeatureCache(data.features, settings.feature_cache_bytes)
        self._stopping = threading.Event()
        self._at_work: set[str] = set()

    def start(self) -> None:
        """Takes up the work, beginning with what a process before this one left."""
        settings = self._settings
        self._slot = WorkerSlot(self._data.workers)
        limits = VideoLimits(settings.max_frame_pixels, settings.max_video_s)
        threads = settings.extraction_threads or max(1, cores() // settings.jobs)
        self._processes = ExtractionProcesses(settings.jobs, limits, threads)
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
            return self._work(request)

        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=settings.jobs,
            polling_interval_sec=_POLL_S,
            on_conflict="always_update",
        )
        self._housekeeping = Housekeeping(
            self._slot, self._data, self._at_work, self._stopping, settings.keep_jobs_s
        )
        self._housekeeping.start()
        _log.info("%s works on %d videos at a time", self._slot.name, settings.jobs)

    def stop(self) -> None:
        """Lays the work down; who starts next goes on with it.

        Threads that wait for a database that is away are left behind.
        """
        self._stopping.set()
        self._processes.stop()
        self._housekeeping.join(_STOP_S)
        end = partial(DBOS.destroy, destroy_registry=True)
        ending = threading.Thread(target=end, name="ending", daemon=True)
        ending.start()
        ending.join(_STOP_S)
        self._slot.release()

    def _work(self, request: str) -> str:
        """The workflow: from a request to its outcome, both as JSON."""
        id_ = DBOS.workflow_id
        assert id_
        _log.info("job %s is begun or taken up again", id_)
        self._at_work.add(id_)
        try:
            outcome = self._outcome(id_, VideoJob.model_validate_json(request))
            DBOS.run_step({"name": "clean"}, self._data.remove_job, id_)
            return outcome
        finally:
            self._at_work.discard(id_)

    def _outcome(self, id_: str, job: VideoJob) -> str:
        try:
            answer = self._answer(id_, job)
        except dbos_errors.DBOSMaxStepRetriesExceeded as error:
            return self._failed(error.errors[-1])
        except (ServiceError, LocalizerError, OSError) as error:
            return self._failed(error)
        except dbos_errors.DBOSWorkflowCancelledError:
            self._metrics.finished_job("cancelled")
            raise
        self._metrics.finished_job("done")
        return answer

    def _failed(self, error: Exception) -> str:
        self._metrics.finished_job("failed")
        return JobOutcome(error=problem_of(error)).model_dump_json()

    def _answer(self, id_: str, job: VideoJob) -> str:
        # All that can fail is in steps: a job that is taken up again has to go the same way.
        video = DBOS.run_step(_retried("fetch"), self._fetch, id_, job)
        name, extractor = DBOS.run_step({"name": "choose"}, self._extractor, job)
        chunks = DBOS.run_step({"name": "look up"}, self._kept, id_, video, extractor)
        if chunks:
            DBOS.set_event(PROGRESS, _progress(chunks).model_dump_json())
        else:
            chunks = self._extract(id_, video, name, extractor)
        return DBOS.run_step({"name": "localize"}, self._localize, id_, job, video, chunks)

    def _extractor(self, job: VideoJob) -> tuple[str, Extractor]:
        """Returns the extractor of the model that was asked for, by its name here and by its id."""
        spec = self._catalog.find(job.options.model, job.options.version).spec
        return extractor_of(spec, self._settings.extractors), spec.extractor

    def _fetch(self, id_: str, job: VideoJob) -> VideoFile:
        self._check_stopping()
        if job.uri is None:
            assert job.sha256
            return VideoFile.at(self._data.upload(id_, job.sha256), job.sha256)
        return fetch(job.uri, reference_rules(self._settings), self._data.job(id_))

    def _kept(self, id_: str, video: VideoFile, extractor: Extractor) -> list[StoredChunk]:
        """Takes the features of a video that was done before into the job, as its one chunk."""
        features_TD = self._cache.get(video.sha256, extractor)
        self._metrics.looked_up(hit=features_TD is not None)
        if features_TD is None:
            return []
        self._store(id_, 0, features_TD)
        rows = len(features_TD)
        return [StoredChunk(rows, ended=True, claimed_snippets=rows, elapsed_s=0.0)]

    def _extract(
        self, id_: str, video: VideoFile, name: str, extractor: Extractor
    ) -> list[StoredChunk]:
        """Has the features of a video computed and stored, and tells how far that is."""
        chunks: list[StoredChunk] = []
        size = self._settings.chunk_snippets
        while not chunks or not chunks[-1].ended:
            number, first = len(chunks), sum(chunk.rows for chunk in chunks)
            task = ChunkTask(video.path, name, extractor.name, first, size)
            step = _retried(f"chunk {number}")
            chunks.append(DBOS.run_step(step, self._chunk, id_, number, task, video))
            DBOS.set_event(PROGRESS, _progress(chunks).model_dump_json())
        return chunks

    def _chunk(self, id_: str, number: int, task: ChunkTask, video: VideoFile) -> StoredChunk:
        self._check_stopping()
        video.check_unchanged()
        if task.first_snippet > self._settings.max_snippets:
            raise VideoError(
                f"the video has more than {self._settings.max_snippets} snippets; cut it in parts"
            )
        start = perf_counter()
        chunk = self._ask(task)
        self._store(id_, number, chunk.features_TD)
        elapsed_s = perf_counter() - start
        _log.debug("job %s: chunk %d is stored", id_, number)
        rows = len(chunk.features_TD)
        self._metrics.extracted(rows, elapsed_s)
        return StoredChunk(rows, rows < task.snippets, chunk.claimed_snippets, elapsed_s)

    def _ask(self, task: ChunkTask) -> Chunk:
        try:
            with self._processes.one() as process:
                return process.ask(task, timeout_s=self._settings.chunk_timeout_s)
        except WorkerError:
            self._check_stopping()
            raise

    def _localize(
        self, id_: str, job: VideoJob, video: VideoFile, chunks: list[StoredChunk]
    ) -> str:
        self._check_stopping()
        entry = self._catalog.find(job.options.model, job.options.version)
        spec = entry.spec
        parts = [np.load(self._chunk_path(id_, number)) for number in range(len(chunks))]
        features_TD = check_features(
            np.concatenate(parts),
            feature_dim=spec.feature_dim,
            max_snippets=self._settings.max_snippets,
        )
        self._cache.put(video.sha256, spec.extractor, features_TD)
        found = localize_features(
            features_TD,
            job.options,
            entry,
            duration(job.options, spec, len(features_TD)),
            before={"extraction": sum(chunk.elapsed_s for chunk in chunks)},
        )
        self._metrics.localized_job(found.snippets, found.segments, found.stages_s)
        return f'{{"answer": {found.content.decode()}}}'  # the JSON of a JobOutcome

    def _store(self, id_: str, number: int, features_TD: NDArray[np.float32]) -> None:
        with whole_file(self._chunk_path(id_, number)) as file:
            np.save(file, features_TD)

    def _chunk_path(self, id_: str, number: int) -> Path:
        return self._data.job(id_) / f"{number:06}.npy"

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise Stopped


def _retried(name: str) -> StepOptions:
    return {
        "name": name,
        "retries_allowed": True,
        "max_attempts": 3,
        "interval_seconds": 1.0,
        "backoff_rate": 4.0,
        "should_retry": _may_pass,
    }


def _may_pass(error: BaseException) -> bool:
    """Tells whether the same may go well a little later."""
    return isinstance(error, WorkerError) or (isinstance(error, DownloadError) and error.transient)


def _progress(chunks: Sequence[StoredChunk]) -> JobProgress:
    done = sum(chunk.rows for chunk in chunks)
    claimed = chunks[-1].claimed_snippets
    expected = done if chunks[-1].ended else None if claimed is None else max(claimed, done)
    lately = chunks[-_SPEED_CHUNKS:]
    rows, elapsed_s = sum(chunk.rows for chunk in lately), sum(chunk.elapsed_s for chunk in lately)
    left_s = None
    if expected is not None and rows:
        left_s = (expected - done) * elapsed_s / rows
    return JobProgress(snippets_done=done, snippets_expected=expected, seconds_left=left_s)

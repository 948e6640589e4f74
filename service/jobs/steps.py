"""Steps of a job: fetch the video, extract its features chunk by chunk, localize.

DBOS records the outcome of each step, after the features of a chunk are on disk. After a crash it
runs the job again, with the recorded outcomes in place of the steps that were completed.

A job whose model or extractor is not served at the moment is postponed: it goes back to the queue,
and other jobs run meanwhile.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter
from typing import Final, TypeVar

import numpy as np
from dbos import DBOS
from dbos import error as dbos_errors
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ecm_client.schemas import JobProgress, Problem, VideoFacts
from features.video.limits import VideoLimits
from model.arrays import check_features
from model.errors import LocalizerError, VideoError, WorkerError
from model.inference.cores import cores
from model.options import features_duration_s
from model.spec import ExtractorIdentity, ModelSpec
from model.whole_file import whole_file
from service.errors import (
    ExtractorUnavailableError,
    ModelUnavailableError,
    UnknownModelError,
    VideoGoneError,
    shortened,
)
from service.jobs.record import (
    PROGRESS,
    FinalState,
    JobAttributes,
    JobOutcome,
    VideoJob,
    add_attributes,
    log_end,
)
from service.jobs.recorded_step import StepFailedError, run_step
from service.localize.activations import Activations
from service.localize.answer import localize_features
from service.models.catalog import Catalog
from service.references.errors import DownloadError
from service.references.rules import ReferenceRules
from service.references.video_files import VideoFile, fetch
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.videos.chunks import Chunk, ChunkPool, ChunkTask
from service.videos.data_folder import DOWNLOAD, DataFolder
from service.videos.extractors import extractor_of
from service.videos.feature_cache import FeatureCache
from service.videos.kept_videos import KeptVideos
from service.videos.media_type import media_type_of

_log = logging.getLogger(__name__)

_SPEED_CHUNKS = 8
"""Chunks from which the present speed is measured."""
_DETAIL_CHARACTERS: Final = 300
"""Length of the reason of a failure in a list of jobs."""
_PAUSES_S: Final = (1.0, 4.0)
"""Pauses before the second and the third attempt of a step."""

Result = TypeVar("Result")


class Stopped(BaseException):
    """The worker stops. Not an `Exception`, so that DBOS keeps the job as unfinished."""


class Postponed(BaseException):
    """The model of a job is not served at the moment; DBOS keeps the job as unfinished."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """Recorded outcome of a chunk, whose features are in a file."""

    rows: int
    """Snippets in the chunk."""
    ended: bool
    """Whether the video ends here. Recorded, because the setting `chunk_snippets` may change."""
    claimed_snippets: int | None
    """Snippets of the whole video according to its header; None if the header has no length."""
    elapsed_s: float
    """Time of extraction and storage."""


_VIDEO: Final = TypeAdapter(VideoFile)
_EXTRACTOR: Final = TypeAdapter(tuple[str, ExtractorIdentity])
_CHUNK: Final = TypeAdapter(StoredChunk)
_CHUNKS: Final = TypeAdapter(list[StoredChunk])
_JSON: Final = TypeAdapter(str)
_NOTHING: Final = TypeAdapter(type(None))


class JobSteps:
    """Runs jobs, several at a time in threads of DBOS."""

    def __init__(
        self, settings: Settings, catalog: Catalog, data: DataFolder, metrics: Metrics
    ) -> None:
        """Prepares everything; processes start with the first chunk."""
        self._settings = settings
        self._catalog = catalog
        self._data = data
        self._metrics = metrics
        self._rules = reference_rules(settings)
        self._cache = FeatureCache(data.features, settings.feature_cache_bytes)
        limits = VideoLimits(settings.max_frame_pixels, settings.max_video_s)
        threads = settings.extraction_threads or max(1, cores() // settings.jobs)
        self._pool = ChunkPool(settings.jobs, limits, threads, settings.max_snippets)
        self._activations = Activations(
            settings.data, settings.keep_activation_bytes, settings.keep_activation_s
        )
        self.kept = KeptVideos(data, settings.keep_video_bytes)
        """Videos of finished jobs."""
        self._stopping = threading.Event()
        self.running: set[str] = set()
        """Ids of the jobs that run at present."""
        self.postponed: set[str] = set()
        """Ids of the jobs that wait for their model and must be put back in the queue."""
        self._missed_s: dict[str, float] = {}
        """Monotonic time at which the model of a job was first missed."""

    def stop(self) -> None:
        """Stops all jobs; DBOS keeps them as unfinished."""
        self._stopping.set()
        self._pool.stop()

    def run(self, request: str) -> str:
        """Runs the workflow: takes a `VideoJob` and returns a `JobOutcome`, both as JSON."""
        id_ = DBOS.workflow_id
        assert id_
        _log.info("job started", extra={"fields": {"job": id_}})
        self.running.add(id_)
        try:
            outcome, has_failed = self._outcome(id_, VideoJob.model_validate_json(request))
            run_step("clean", _NOTHING, partial(self.kept.finish, id_, keep=not has_failed))
            return outcome
        except Postponed:
            self.postponed.add(id_)
            raise
        finally:
            self.running.discard(id_)

    def _outcome(self, id_: str, job: VideoJob) -> tuple[str, bool]:
        """Returns the JSON of a JobOutcome, and whether the job failed."""
        start_s = perf_counter()
        problem = None
        try:
            outcome = self._answer(id_, job)
        except StepFailedError as error:
            problem = error.problem
            outcome = JobOutcome(error=problem).model_dump_json()
            detail = shortened(problem.detail, _DETAIL_CHARACTERS)
            add_attributes(id_, JobAttributes(failed=True, detail=detail))
        except dbos_errors.DBOSWorkflowCancelledError:
            self._finish(id_, "cancelled", start_s)
            raise
        self._finish(id_, "failed" if problem else "done", start_s, problem)
        return outcome, problem is not None

    def _finish(
        self, id_: str, state: FinalState, start_s: float, problem: Problem | None = None
    ) -> None:
        self._missed_s.pop(id_, None)
        self._metrics.finished_job(state)
        log_end(id_, state, perf_counter() - start_s, problem)

    def _answer(self, id_: str, job: VideoJob) -> str:
        # Everything that can fail is in steps, because a resumed job has to take the same path.
        video = run_step("fetch", _VIDEO, self._persistently, self._fetch, id_, job)
        name, extractor = run_step("choose", _EXTRACTOR, self._extractor, id_, job)
        chunks = run_step("look up", _CHUNKS, self._cached, id_, video, extractor)
        if chunks:
            DBOS.set_event(PROGRESS, _progress(chunks).model_dump_json())
        else:
            chunks = self._extract(id_, video, name, extractor)
        return run_step("localize", _JSON, self._localize, id_, job, video, chunks)

    @contextmanager
    def _needing_model(self, id_: str) -> Iterator[None]:
        """Postpones a job that needs a model or extractor which is not served at the moment.

        After `model_wait_s` the error of the missing model passes, and the job fails.
        """
        try:
            yield
        except (UnknownModelError, ModelUnavailableError, ExtractorUnavailableError) as error:
            since_s = self._missed_s.setdefault(id_, monotonic())
            if monotonic() - since_s >= self._settings.model_wait_s:
                raise
            fields = {"job": id_, "reason": str(error)}
            _log.info("job waits for its model", extra={"fields": fields})
            raise Postponed from error

    def _persistently(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Returns the result of the first successful attempt; passing faults are tried again."""
        for pause_s in _PAUSES_S:
            try:
                return work(*arguments)
            except (WorkerError, DownloadError) as error:
                if isinstance(error, DownloadError) and not error.transient:
                    raise
                _log.warning("a step of a job is tried again: %s", error)
            self._stopping.wait(pause_s)
            self._check_stopping()
        return work(*arguments)

    def _extractor(self, id_: str, job: VideoJob) -> tuple[str, ExtractorIdentity]:
        """Returns the extractor of the requested model: its name or file here, and its identity."""
        with self._needing_model(id_):
            spec = self._catalog.find_pinned(job.options.model, job.options.version).spec
            return extractor_of(spec, self._settings.extractors), spec.extractor

    def _fetch(self, id_: str, job: VideoJob) -> VideoFile:
        """Returns the video, and publishes its properties."""
        self._check_stopping()
        video = self._file(id_, job)
        try:
            info = self._pool.probe(video.path, timeout_s=self._settings.chunk_timeout_s)
        except (WorkerError, LocalizerError) as error:  # the first chunk fails for the same reason
            _log.info("the properties of a video are unknown: %s", error)
            return video
        facts = VideoFacts(
            media_type=media_type_of(video.path),
            duration_s=info.duration_s,
            frame_rate=info.fps,
            width=info.width,
            height=info.height,
            codec=info.codec,
        )
        add_attributes(id_, JobAttributes(video=facts))
        return video

    def _file(self, id_: str, job: VideoJob) -> VideoFile:
        asked = job.asked
        if asked.uri is not None:
            return fetch(asked.uri, self._rules, self._data.job(id_) / DOWNLOAD)
        assert asked.sha256
        if asked.job_id is None:
            return VideoFile.at(self._data.upload(id_, asked.sha256), asked.sha256)
        path = self.kept.find(asked.job_id)
        if path is None:
            raise VideoGoneError("the service no longer has this video; send it again")
        return VideoFile.at(path, asked.sha256)

    def _cached(
        self, id_: str, video: VideoFile, extractor: ExtractorIdentity
    ) -> list[StoredChunk]:
        """Copies the cached features of a video, if any, into the job as its only chunk."""
        features_TD = self._cache.get(video.sha256, extractor)
        self._metrics.looked_up(hit=features_TD is not None)
        if features_TD is None:
            return []
        self._store(id_, 0, features_TD)
        rows = len(features_TD)
        return [StoredChunk(rows, ended=True, claimed_snippets=rows, elapsed_s=0.0)]

    def _extract(
        self, id_: str, video: VideoFile, name: str, extractor: ExtractorIdentity
    ) -> list[StoredChunk]:
        """Extracts and stores the features of a video, and publishes the progress."""
        chunks: list[StoredChunk] = []
        size = self._settings.chunk_snippets
        while not chunks or not chunks[-1].ended:
            number, first = len(chunks), sum(chunk.rows for chunk in chunks)
            task = ChunkTask(video.path, name, extractor.name, first, size)
            work = partial(self._persistently, self._chunk, id_, number, task, video)
            chunks.append(run_step(f"chunk {number}", _CHUNK, work))
            DBOS.set_event(PROGRESS, _progress(chunks).model_dump_json())
        return chunks

    def _chunk(self, id_: str, number: int, task: ChunkTask, video: VideoFile) -> StoredChunk:
        self._check_stopping()
        video.check_unchanged()
        if task.first_snippet > self._settings.max_snippets:
            raise VideoError(
                f"the video has more than {self._settings.max_snippets} snippets; split it"
            )
        start = perf_counter()
        chunk = self._ask(replace(task, border=self._border(id_, number)))
        self._store(id_, number, chunk.features_TD)
        if chunk.border:
            with whole_file(self._border_path(id_, number + 1)) as file:
                file.write(chunk.border.encode())
        elapsed_s = perf_counter() - start
        _log.debug("chunk stored", extra={"fields": {"job": id_, "chunk": number}})
        rows = len(chunk.features_TD)
        self._metrics.extracted(rows, elapsed_s)
        return StoredChunk(rows, rows < task.snippets, chunk.claimed_snippets, elapsed_s)

    def _ask(self, task: ChunkTask) -> Chunk:
        try:
            return self._pool.chunk(task, timeout_s=self._settings.chunk_timeout_s)
        except WorkerError:
            self._check_stopping()
            raise

    def _localize(
        self, id_: str, job: VideoJob, video: VideoFile, chunks: list[StoredChunk]
    ) -> str:
        self._check_stopping()
        with self._needing_model(id_):
            entry = self._catalog.find_pinned(job.options.model, job.options.version)
            features_TD = self._features(id_, video, len(chunks), entry.spec)
            answer = localize_features(
                features_TD,
                job.options,
                entry,
                features_duration_s(job.options, entry.spec, len(features_TD)),
                before={"extraction": sum(chunk.elapsed_s for chunk in chunks)},
                max_segments=self._settings.max_segments,
                keep=partial(self._activations.keep, id_),
            )
        facts = JobAttributes(duration_s=answer.duration_s, segments=answer.segments)
        add_attributes(id_, facts)
        self._metrics.localized_job(answer.snippets, answer.segments, answer.stages_s)
        return f'{{"answer": {answer.content.decode()}}}'  # JSON of a JobOutcome

    def _features(
        self, id_: str, video: VideoFile, chunks: int, spec: ModelSpec
    ) -> NDArray[np.float32]:
        """Returns the checked features of a whole video, and caches them."""
        parts = [np.load(self._chunk_path(id_, number)) for number in range(chunks)]
        features_TD = check_features(
            np.concatenate(parts),
            feature_dim=spec.feature_dim,
            max_snippets=self._settings.max_snippets,
        )
        self._cache.put(video.sha256, spec.extractor, features_TD)
        return features_TD

    def _store(self, id_: str, number: int, features_TD: NDArray[np.float32]) -> None:
        with whole_file(self._chunk_path(id_, number)) as file:
            np.save(file, features_TD)

    def _border(self, id_: str, number: int) -> str | None:
        """Returns the border before a chunk; None if it was not stored."""
        try:
            return self._border_path(id_, number).read_text()
        except FileNotFoundError:
            return None

    def _border_path(self, id_: str, number: int) -> Path:
        return self._data.job(id_) / f"{number:06}.border"

    def _chunk_path(self, id_: str, number: int) -> Path:
        return self._data.job(id_) / f"{number:06}.npy"

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise Stopped


def _progress(chunks: Sequence[StoredChunk]) -> JobProgress:
    done = sum(chunk.rows for chunk in chunks)
    claimed = chunks[-1].claimed_snippets
    expected = done if chunks[-1].ended else None if claimed is None else max(claimed, done)
    recent = chunks[-_SPEED_CHUNKS:]
    rows, elapsed_s = sum(chunk.rows for chunk in recent), sum(chunk.elapsed_s for chunk in recent)
    left_s = None
    if expected is not None and rows:
        left_s = (expected - done) * elapsed_s / rows
    return JobProgress(snippets_done=done, snippets_expected=expected, seconds_left=left_s)


def reference_rules(settings: Settings) -> ReferenceRules:
    """Returns the rules for references to videos that the settings define."""
    return ReferenceRules(
        roots=settings.video_roots,
        hosts=settings.video_hosts,
        buckets=settings.video_buckets,
        max_bytes=settings.max_video_bytes,
        max_download_s=settings.max_download_s,
        stall_s=settings.download_stall_s,
    )

"""Steps of a job: fetch the video, choose the extractor, extract the features, localize, clean.

DBOS records the outcome of each step. After a crash it runs the job again, with the recorded
outcomes in place of the steps that were completed.

A job whose model or extractor is not served at the moment is postponed: it goes back to the queue,
and other jobs run meanwhile.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic, perf_counter
from typing import Final

from dbos import DBOS
from dbos import error as dbos_errors
from pydantic import TypeAdapter

from ecm_client.schemas import Problem, VideoFacts
from features.video.limits import VideoLimits
from model.errors import LocalizerError, WorkerError
from model.inference.cores import cores
from model.options import features_duration_s
from model.spec import ExtractorIdentity
from service.errors import (
    ExtractorUnavailableError,
    ModelUnavailableError,
    UnknownModelError,
    VideoGoneError,
    shortened,
)
from service.jobs.attempts import Attempts
from service.jobs.extraction import Extraction, StoredChunk
from service.jobs.job_videos import reference_rules
from service.jobs.record import (
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
from service.references.video_files import VideoFile, fetch
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.videos.chunks import ChunkPool
from service.videos.data_folder import DOWNLOAD, DataFolder
from service.videos.extractors import extractor_of
from service.videos.kept_videos import KeptVideos
from service.videos.media_type import media_type_of

_log = logging.getLogger(__name__)

_DETAIL_CHARACTERS: Final = 300
"""Length of the reason of a failure in a list of jobs."""


class Postponed(BaseException):
    """The model of a job is not served at the moment; DBOS keeps the job as unfinished."""


_VIDEO: Final = TypeAdapter(VideoFile)
_EXTRACTOR: Final = TypeAdapter(tuple[str, ExtractorIdentity])
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
        limits = VideoLimits(settings.max_frame_pixels, settings.max_video_s)
        threads = settings.extraction_threads or max(1, cores() // settings.jobs)
        self._pool = ChunkPool(settings.jobs, limits, threads, settings.max_snippets)
        self._activations = Activations(
            settings.data, settings.keep_activation_bytes, settings.keep_activation_s
        )
        self.kept = KeptVideos(data, settings.keep_video_bytes)
        """Videos of finished jobs."""
        self._attempts = Attempts()
        self._extraction = Extraction(settings, data, self._pool, self._attempts, metrics)
        self.running: set[str] = set()
        """Ids of the jobs that run at present."""
        self.postponed: set[str] = set()
        """Ids of the jobs that wait for their model and must be put back in the queue."""
        self._missed_s: dict[str, float] = {}
        """Monotonic time at which the model of a job was first missed."""

    def stop(self) -> None:
        """Stops all jobs; DBOS keeps them as unfinished."""
        self._attempts.stop()
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
        video = run_step("fetch", _VIDEO, self._attempts.of, self._fetch, id_, job)
        name, extractor = run_step("choose", _EXTRACTOR, self._extractor, id_, job)
        chunks = self._extraction.run(id_, video, name, extractor)
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

    def _extractor(self, id_: str, job: VideoJob) -> tuple[str, ExtractorIdentity]:
        """Returns the extractor of the requested model: its name or file here, and its identity."""
        with self._needing_model(id_):
            spec = self._catalog.find_pinned(job.options.model, job.options.version).spec
            return extractor_of(spec, self._settings.extractors), spec.extractor

    def _fetch(self, id_: str, job: VideoJob) -> VideoFile:
        """Returns the video, and publishes its properties."""
        self._attempts.check_stopping()
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

    def _localize(
        self, id_: str, job: VideoJob, video: VideoFile, chunks: list[StoredChunk]
    ) -> str:
        self._attempts.check_stopping()
        with self._needing_model(id_):
            entry = self._catalog.find_pinned(job.options.model, job.options.version)
            features_TD = self._extraction.features(id_, video, len(chunks), entry.spec)
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

"""Accepts videos as jobs.

The application imports this module on demand, because its packages are optional.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from anyio import to_thread
from dbos import DBOS
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ecm_client.schemas import Job, LocalizeOptions
from features.video.limits import VideoLimits
from model.errors import OptionError
from service.errors import UnusableInputError, VideoGoneError
from service.http.tickets import Tickets
from service.jobs.database import prepare_database, versions_of_open_jobs
from service.jobs.job_videos import JobVideos, reference_rules, video_name
from service.jobs.jobs import Jobs
from service.jobs.record import VideoAsked, VideoJob
from service.jobs.worker import Worker
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper
from service.references.rules import check_reference
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.videos.clips import Clips
from service.videos.data_folder import DataFolder
from service.videos.extractors import extractor_of
from service.videos.kept_videos import KeptVideos
from service.videos.stills import Stills
from service.videos.uploads import Uploads
from service.videos.video_request import VideoRequest


class Videos:
    """Accepts videos, and runs their jobs in this process unless `settings.jobs` is 0."""

    def __init__(
        self, settings: Settings, catalog: Catalog, keeper: ModelKeeper | None, metrics: Metrics
    ) -> None:
        """Prepares everything; `start` opens the database and starts the worker.

        Args:
            settings: settings in force.
            catalog: served models.
            keeper: loads the models that open jobs need; None if nothing loads models.
            metrics: counts the jobs.
        """
        self._metrics = metrics
        self._settings = settings
        self._catalog = catalog
        self._keeper = keeper
        self._rules = reference_rules(settings)
        self._data = DataFolder(settings.data)

    def start(self) -> None:
        """Opens the job database and starts the worker.

        Raises:
            JobsUnavailableError: the database cannot be reached.
        """
        # Parts of large forms are stored there, because /tmp may be in memory.
        tempfile.tempdir = str(self._data.incoming)
        settings = self._settings
        database_url = _database_url(settings, self._data)
        prepare_database(database_url)
        kept = KeptVideos(self._data, settings.keep_video_bytes)
        self._videos = JobVideos(self._data, kept, self._rules)
        self.jobs = Jobs(self._data, self._videos, database_url, settings.max_queued_jobs)
        self.uploads = Uploads(self._data)
        self.tickets = Tickets(self._data.ticket_secret())
        limits = VideoLimits(settings.max_frame_pixels, settings.max_video_s)
        self.stills = Stills(limits)
        self.clips = Clips(limits, self._data.incoming, settings.chunk_timeout_s)
        self._worker = None
        if settings.jobs:
            if self._keeper:
                self._keeper.keep_also(self.jobs.open_versions)
            self._worker = Worker(settings, self._catalog, self._data, database_url, self._metrics)
            self._worker.start()

    def stop(self) -> None:
        """Stops the worker; the next process resumes unfinished jobs."""
        if self._worker:
            self._worker.stop()
        self.stills.stop()
        self.jobs.close()
        tempfile.tempdir = None

    def is_intact(self) -> bool:
        """Returns whether the data folder is still there."""
        return self._data.is_intact()

    async def submit(self, job_id: str, request: VideoRequest) -> Job:
        """Submits a video as a job and returns the job. The upload is removed.

        A request that was submitted before gets its job, whatever models are served now.

        Raises:
            ServiceError, InputError: the request cannot be fulfilled, or not at present.
        """
        try:
            asked, name = await self._asked(request)
            if earlier := await self.jobs.earlier(job_id, asked):
                return earlier
            chosen = await to_thread.run_sync(self._chosen_options, asked)  # may hash large files
            job = VideoJob(asked=asked, options=chosen, name=name)
            return await self.jobs.submit(job_id, job, request.upload)
        finally:
            if request.upload:
                request.upload.remove()

    async def _asked(self, request: VideoRequest) -> tuple[VideoAsked, str | None]:
        """Returns the content of a request, and the name of its video."""
        fields = request.options.model_dump(include=set(LocalizeOptions.model_fields))
        options = LocalizeOptions.model_validate(fields)
        if request.job_id is not None:
            return await self._asked_again(request.job_id, options)
        sha256 = request.upload.sha256 if request.upload else None
        asked = VideoAsked(options=options, uri=request.uri, sha256=sha256)
        return asked, video_name(request.name, request.uri)

    async def _asked_again(
        self, job_id: str, options: LocalizeOptions
    ) -> tuple[VideoAsked, str | None]:
        """Returns the request for the video of a finished job with other options, and its name.

        Raises:
            VideoGoneError: the service does not have the video, or no longer.
        """
        before, name = await self.jobs.request(job_id)
        if before.uri is not None:
            return VideoAsked(options=options, uri=before.uri), name
        owner = before.job_id or job_id
        if not await to_thread.run_sync(self._videos.is_kept, owner):
            raise VideoGoneError("the service does not have the video of this job; send it again")
        return VideoAsked(options=options, sha256=before.sha256, job_id=owner), name

    async def video_of(self, job_id: str) -> tuple[Path, str | None]:
        """Returns the file of a job's video, and its name.

        Raises:
            UnknownJobError, JobsUnavailableError: there is no such job, or no database.
            VideoGoneError: the service no longer has the video.
        """
        asked, name = await self.jobs.request(job_id)
        path = await to_thread.run_sync(self._videos.find, job_id, asked)
        if path is None:
            raise VideoGoneError(
                "the service no longer has the video of this job; choose the file again"
            )
        return path, name

    def _chosen_options(self, asked: VideoAsked) -> LocalizeOptions:
        """Returns the options of a request with the model and version that it will get."""
        options = asked.options
        if options.duration_s is not None or options.snippet_s is not None:
            raise UnusableInputError(
                "a video has its own duration: leave out duration_s and snippet_s"
            )
        entry = self._catalog.find(options.model, options.version)
        extractor_of(entry.spec, self._settings.extractors)
        if asked.uri is not None:
            check_reference(asked.uri, self._rules)
        published = entry.published
        return options.model_copy(update={"model": published.name, "version": published.version})


@contextmanager
def work(settings: Settings, keeper: ModelKeeper, metrics: Metrics) -> Iterator[None]:
    """Runs jobs that other processes accept.

    Raises:
        OptionError: `settings.jobs` is 0.
        JobsUnavailableError: the database cannot be reached.
    """
    if not settings.jobs:
        raise OptionError("expected the setting jobs to be 1 or more for a worker, got 0")
    data = DataFolder(settings.data)
    database_url = _database_url(settings, data)
    prepare_database(database_url)
    worker = Worker(settings, keeper.catalog, data, database_url, metrics)
    worker.start()
    keeper.keep_also(partial(versions_of_open_jobs, DBOS.list_workflows))
    try:
        yield
    finally:
        worker.stop()


def _database_url(settings: Settings, data: DataFolder) -> str:
    """Returns the URL of the job database for DBOS.

    Raises:
        OptionError: the setting names another database than PostgreSQL.
    """
    if settings.database_url is None:
        return data.database_url
    try:
        url = make_url(settings.database_url)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        raise OptionError(
            "expected the setting database_url as postgresql://USER:PASSWORD@HOST/NAME"
        )
    # A database with encoding SQL_ASCII would return bytes.
    return url.update_query_dict({"client_encoding": "utf8"}).render_as_string(hide_password=False)

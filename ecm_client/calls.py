"""The calls of the service's API, without the sending and waiting.

Each call is a generator. It yields steps, and the client performs them, with or without asyncio:

    httpx.Request   send the request, and return its `Reply` to the call
    float           wait for that number of seconds
    Progress        pass it to `on_progress`

`advance` goes from one step to the next, up to the `Result`.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

import httpx
import numpy as np
from pydantic import BaseModel, ValidationError

from ecm_client.errors import InputError, LocalizerServiceError
from ecm_client.inputs import Features, Source, VideoFile, VideoUri, open_source
from ecm_client.localization import Localization
from ecm_client.localize_request import Http, features_request, video_request
from ecm_client.options import OnProgress, Progress
from ecm_client.retries import Reply, is_temporary, retry_delay_s
from ecm_client.schemas import (
    Health,
    Job,
    JobList,
    LocalizeResponse,
    ModelDetail,
    ModelList,
    ModelSummary,
    Problem,
)
from ecm_client.segments import Segment

FIRST_JOB_DELAY_S, LONGEST_JOB_DELAY_S = 0.1, 2.0

T = TypeVar("T")
Body = TypeVar("Body", bound=BaseModel)
Step: TypeAlias = httpx.Request | float | Progress
Call: TypeAlias = Generator[Step, Reply | None, T]


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """The end of a call."""

    value: T
    """Return value of the call."""


def advance(call: Call[T], reply: Reply | None) -> Step | Result[T]:
    """Returns the next step of a call, or its result.

    Args:
        call: the call.
        reply: reply to the step before, if that was a request.

    Raises:
        InputError: the input cannot be used.
        LocalizerServiceError: the service refused the request, failed or cannot be reached.
    """
    try:
        return call.send(reply)
    except StopIteration as stop:
        return Result(stop.value)


class Calls:
    """The calls to one service."""

    def __init__(self, http: Http, retries: int) -> None:
        """Takes the httpx client that builds the requests.

        Args:
            http: has the address of the service and the API key.
            retries: number of further tries while the service is busy or cannot be reached.
        """
        self._http = http
        self._retries = retries

    def localize(
        self, source: Source, options: Mapping[str, object], on_progress: OnProgress
    ) -> Call[Localization]:
        """Localizes features at once, and a video by a job."""
        opened = open_source(source)
        if isinstance(opened, Features):
            request = features_request(self._http, opened, options)
            response = yield from send(request, self._retries)
            return _localization(read_body(LocalizeResponse, response))
        job = yield from self._submit(opened, options, on_progress)
        for delay_s in job_delays_s():
            if is_final(job):
                break
            yield progress_of(job)
            yield delay_s
            job = yield from self.job(job.id)
        return result_of(job)

    def submit_video(
        self, source: Source, options: Mapping[str, object], on_progress: OnProgress
    ) -> Call[Job]:
        """Submits a video and returns its job."""
        video = open_source(source)
        if isinstance(video, Features):
            raise InputError("expected the path or URI of a video, got features")
        return (yield from self._submit(video, options, on_progress))

    def _submit(
        self,
        video: VideoFile | VideoUri,
        options: Mapping[str, object],
        on_progress: OnProgress,
    ) -> Call[Job]:
        request = video_request(self._http, video, options, on_progress)
        return read_body(Job, (yield from send(request, self._retries)))

    def jobs(self, limit: int, after: str | None) -> Call[JobList]:
        """Returns a page of jobs."""
        params = {"limit": str(limit)} | ({} if after is None else {"after": after})
        return self._call(JobList, "GET", "/jobs", params)

    def job(self, job_id: str) -> Call[Job]:
        """Returns a job."""
        return self._call(Job, "GET", f"/jobs/{job_id}")

    def cancel_job(self, job_id: str) -> Call[Job]:
        """Cancels a job and returns it."""
        return self._call(Job, "DELETE", f"/jobs/{job_id}")

    def models(self) -> Call[list[ModelSummary]]:
        """Returns every version of every model."""
        return (yield from self._call(ModelList, "GET", "/models")).models

    def model(self, name: str, version: int) -> Call[ModelDetail]:
        """Returns one version of a model."""
        return self._call(ModelDetail, "GET", f"/models/{name}/versions/{version}")

    def health(self) -> Call[Health]:
        """Returns the state of the service."""
        return self._call(Health, "GET", "/health")

    def _call(
        self, kind: type[Body], method: str, path: str, params: dict[str, str] | None = None
    ) -> Call[Body]:
        request = self._http.build_request(method, path, params=params)
        return read_body(kind, (yield from send(request, self._retries)))


def send(request: httpx.Request, retries: int) -> Call[httpx.Response]:
    """Sends a request, with retries, and returns the successful response."""
    tries = 0
    while True:
        reply = yield request
        assert reply is not None
        tries += 1
        if tries > retries or not is_temporary(reply):
            break
        yield retry_delay_s(reply, tries - 1)
    if isinstance(reply, httpx.TransportError):
        count = "1 try" if tries == 1 else f"{tries} tries"
        raise LocalizerServiceError(
            f"the service at {request.url.copy_with(path='/', query=None)} cannot be reached "
            f"after {count}: {reply}"
        ) from reply
    if reply.is_success:
        return reply
    raise _refusal(reply)


def is_final(job: Job) -> bool:
    """Returns whether a job is done, failed or cancelled, so that it changes no more."""
    return job.state not in ("queued", "running")


def job_delays_s() -> Iterator[float]:
    """Yields the delays between two looks at a job, in seconds."""
    delay_s = FIRST_JOB_DELAY_S
    while True:
        yield delay_s
        delay_s = min(1.5 * delay_s, LONGEST_JOB_DELAY_S)


def progress_of(job: Job) -> Progress:
    """Returns the progress of a job that is not finished."""
    stage: Literal["queued", "running"] = "queued" if job.state == "queued" else "running"
    progress = job.progress
    return Progress(
        stage, progress.snippets_done, progress.snippets_expected, progress.seconds_left
    )


def result_of(job: Job) -> Localization:
    """Returns the result of a finished job.

    Raises:
        LocalizerServiceError: the job failed or was cancelled, or its result has another format.
    """
    if job.error:
        raise _error(job.error)
    if not isinstance(job.result, LocalizeResponse):
        raise LocalizerServiceError(f"job {job.id} is {job.state} and has no result")
    return _localization(job.result)


def read_body(kind: type[Body], response: httpx.Response) -> Body:
    """Returns the body of a response as the type that this API promises.

    Raises:
        LocalizerServiceError: the body is something else, so the server is no localizer.
    """
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise LocalizerServiceError(
            f"{response.request.url} did not answer as this service does: {error}",
            response.status_code,
        ) from error


def _localization(response: LocalizeResponse) -> Localization:
    cas = response.cas
    return Localization(
        segments=tuple(
            Segment(segment.start_s, segment.end_s, segment.label, segment.score)
            for segment in response.segments
        ),
        classes={entry.label: entry.score for entry in response.classes},
        duration_s=response.duration_s,
        snippets=response.snippets,
        model=response.model.name,
        version=response.model.version,
        truncated=response.truncated,
        timing_ms=response.timing_ms,
        familiarity=response.familiarity,
        notes=tuple(response.notes),
        cas_TC=np.array(cas.logits, dtype=np.float32) if cas else None,
        cas_labels=tuple(cas.labels) if cas else (),
    )


def _refusal(response: httpx.Response) -> LocalizerServiceError:
    if response.has_redirect_location:  # never followed, because a key must not go elsewhere
        target = response.request.url.join(response.headers["Location"])
        return LocalizerServiceError(
            f"{response.request.url} redirects to {target}; give the client the address of the "
            "service itself",
            response.status_code,
        )
    try:
        return _error(Problem.model_validate_json(response.content))
    except ValidationError:
        return LocalizerServiceError(
            f"{response.request.url}: HTTP {response.status_code}", response.status_code
        )


def _error(problem: Problem) -> LocalizerServiceError:
    return LocalizerServiceError(problem.detail, problem.status, problem.type.rpartition(":")[2])

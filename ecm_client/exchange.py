"""What one call of a client is: the request, when to try it again, and what its answer says.

Both clients send and wait in their own way and share all of this.
"""

import asyncio
import email.utils
import mimetypes
import random
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict, TypeVar
from uuid import uuid4

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from ecm_client.schemas import Job, LocalizeResponse, Problem

Features: TypeAlias = NDArray[np.generic] | str | Path
"""An array (snippets, channels), or the path of an .npy file that holds one."""
Video: TypeAlias = str | Path
"""The path of a video file, or a URI that the service may fetch: file:, https:, s3:, gs:, az:."""

RETRIED_STATUSES = {429, 502, 503, 504}
FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 30.0
JITTER_SHARE = 0.25
"""By how much longer than Retry-After is waited at most, so that not all come back at once."""
FIRST_JOB_DELAY_S, LONGEST_JOB_DELAY_S = 0.1, 2.0
_PART_BYTES = 256 * 1024

Answer = TypeVar("Answer", bound=BaseModel)
Exchange: TypeAlias = Generator[float | None, httpx.Response | httpx.TransportError, httpx.Response]


class Options(TypedDict, total=False):
    """Options of `localize`; the service's description says what each does."""

    model: str | None
    version: int | None
    duration_s: float | None
    snippet_s: float | None
    class_threshold: float | None
    nms_iou: float | None
    min_score: float | None
    max_segments: int | None
    include: str | None


class LocalizerServiceError(Exception):
    """The service refused a request, or could not be reached.

    Attributes:
        status: HTTP status; None where no answer came.
        code: the problem's stable name, such as `unknown-model`.
    """

    def __init__(self, message: str, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def key_header(api_key: str | None) -> dict[str, str]:
    """Returns the header that presents an API key, if there is one."""
    return {"Authorization": f"Bearer {api_key.strip()}"} if api_key else {}


def localize_request(
    http: httpx.Client | httpx.AsyncClient, features: Features, options: Options
) -> httpx.Request:
    """Builds the request with the features as raw bytes, which is the fastest form."""
    array = features if isinstance(features, np.ndarray) else _load(features)
    if array.ndim != 2:
        raise LocalizerServiceError(
            f"expected features of shape (snippets, channels), got {array.shape}"
        )
    dtype = "float16" if array.dtype == np.float16 else "float32"
    body = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    return http.build_request(
        "POST",
        "/localize",
        params={name: str(value) for name, value in options.items() if value is not None},
        headers={
            "Content-Type": "application/octet-stream",
            "X-Shape": ",".join(map(str, body.shape)),
            "X-Dtype": dtype,
        },
        content=body.tobytes(),
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work on a video is."""

    stage: Literal["upload", "queued", "running"]
    """What is going on."""
    done: int = 0
    """Bytes sent, or snippets whose features are there."""
    total: int | None = None
    """Bytes of the file, or snippets of the video; None where it is not known."""
    seconds_left: float | None = None
    """As far as the service can tell."""


OnProgress: TypeAlias = Callable[[Progress], None]


class VideoFileStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A file as a request's body, read part by part; from its start at every try."""

    def __init__(self, path: Path, on_progress: OnProgress) -> None:
        """Takes a file that is there."""
        self._path = path
        self._on_progress = on_progress
        self.length = path.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        """Yields its parts."""
        sent = 0
        with self._path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                yield part
                sent += len(part)
                self._on_progress(Progress("upload", sent, self.length))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields its parts, which threads read."""
        parts = iter(self)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part


def video_request(
    http: httpx.Client | httpx.AsyncClient,
    video: Video,
    options: Options,
    on_progress: OnProgress,
) -> httpx.Request:
    """Builds the request that hands in a video; sent twice, it asks for one job.

    Raises:
        LocalizerServiceError: the file cannot be read.
    """
    given = {name: value for name, value in options.items() if value is not None}
    key = {"Idempotency-Key": str(uuid4())}
    if "://" in str(video) or str(video).startswith("file:"):
        body = {"video": {"uri": str(video)}, **given}
        return http.build_request("POST", "/jobs", headers=key, json=body)
    path = Path(video)
    try:
        stream = VideoFileStream(path, on_progress)
        path.open("rb").close()
    except OSError as error:
        raise LocalizerServiceError(f"{path} cannot be read: {error.strerror}") from error
    guessed, _ = mimetypes.guess_type(path.name)
    media_type = guessed if guessed and guessed.startswith("video/") else "video/unknown"
    request = http.build_request(
        "POST",
        "/jobs",
        params={name: str(value) for name, value in given.items()},
        headers={**key, "Content-Type": media_type, "Content-Length": str(stream.length)},
    )
    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        extensions=request.extensions,
        stream=stream,
    )


def is_final(job: Job) -> bool:
    """Tells whether nothing will change about a job any more."""
    return job.state not in ("queued", "running")


def job_delays_s() -> Iterator[float]:
    """Yields how long to wait each time before a job is asked for again."""
    delay_s = FIRST_JOB_DELAY_S
    while True:
        yield delay_s
        delay_s = min(1.5 * delay_s, LONGEST_JOB_DELAY_S)


def progress_of(job: Job) -> Progress:
    """Returns how far a job is that is not final."""
    told = job.progress
    stage: Literal["queued", "running"] = "queued" if job.state == "queued" else "running"
    return Progress(stage, told.snippets_done, told.snippets_expected, told.seconds_left)


def result_of(job: Job) -> LocalizeResponse:
    """Returns what a final job found.

    Raises:
        LocalizerServiceError: it failed or was cancelled.
    """
    if job.error:
        raise _told(job.error)
    if not isinstance(job.result, LocalizeResponse):
        raise LocalizerServiceError(f"job {job.id} is {job.state} and has no result")
    return job.result


def _load(path: str | Path) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LocalizerServiceError(f"{path} is not a readable .npy file: {error}") from error
    return array


def exchange(retries: int) -> Exchange:
    """Yields how long to wait before each try, takes what came of it, returns the final answer.

    A request may be repeated: all that the service does for it is compute.

    Raises:
        LocalizerServiceError: the service refused, or the tries are used up.
    """
    outcome = yield 0.0
    tries = 1
    while tries <= retries and _may_pass(outcome):
        outcome = yield retry_delay_s(outcome, tries - 1)
        tries += 1
    if isinstance(outcome, httpx.TransportError):
        told = "1 try" if tries == 1 else f"{tries} tries"
        raise LocalizerServiceError(
            f"the service cannot be reached after {told}: {outcome}"
        ) from outcome
    if outcome.is_success:
        return outcome
    raise _refusal(outcome)


def _may_pass(outcome: httpx.Response | httpx.TransportError) -> bool:
    """Tells whether the same request may go well a little later."""
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in RETRIED_STATUSES
    return not isinstance(outcome, httpx.UnsupportedProtocol | httpx.LocalProtocolError)


def retry_delay_s(outcome: httpx.Response | httpx.TransportError, attempt: int) -> float:
    """Returns how long to wait: as Retry-After says, else twice as long each time, with jitter."""
    asked_s = _retry_after_s(outcome) if isinstance(outcome, httpx.Response) else None
    if asked_s is not None:
        return min(random.uniform(asked_s, (1 + JITTER_SHARE) * asked_s), LONGEST_DELAY_S)
    longest_s = min(FIRST_DELAY_S * 2**attempt, LONGEST_DELAY_S)
    return random.uniform(longest_s / 2, longest_s)


def _retry_after_s(response: httpx.Response) -> float | None:
    """Returns what a Retry-After says, in seconds or as a date; None where there is none."""
    told = response.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    date = email.utils.parsedate_tz(told)
    return max(email.utils.mktime_tz(date) - time.time(), 0.0) if date else None


def _refusal(response: httpx.Response) -> LocalizerServiceError:
    try:
        told = Problem.model_validate_json(response.content)
    except ValidationError:
        return LocalizerServiceError(
            f"{response.request.url}: HTTP {response.status_code}", response.status_code
        )
    return _told(told)


def _told(problem: Problem) -> LocalizerServiceError:
    return LocalizerServiceError(problem.detail, problem.status, problem.type.rpartition(":")[2])


def read_answer(kind: type[Answer], response: httpx.Response) -> Answer:
    """Returns an answer's body as the type that it should be.

    Raises:
        LocalizerServiceError: it is something else, so the server is no localizer.
    """
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise LocalizerServiceError(
            f"{response.request.url} did not answer as this service does: {error}",
            response.status_code,
        ) from error

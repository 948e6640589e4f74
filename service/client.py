"""Clients of the service, sync and async; they need httpx, numpy and pydantic only.

    from service.client import Client

    with Client("http://127.0.0.1:8000") as client:
        for segment in client.localize("features.npy", duration_s=93.4).segments:
            print(segment.label, segment.start_s, segment.end_s, segment.score)

Both build requests, read answers and decide about retries with the same functions; they differ
in how they send and wait.
"""

import asyncio
import email.utils
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias, TypedDict, TypeVar, Unpack

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from service.schemas import Health, LocalizeResponse, ModelDetail, ModelList, ModelSummary, Problem

Features: TypeAlias = NDArray[np.generic] | str | Path
"""An array (snippets, channels), or the path of an .npy file that holds one."""

DEFAULT_URL = "http://127.0.0.1:8000"
RETRIED_STATUSES = {429, 502, 503, 504}
FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 30.0

_Answer = TypeVar("_Answer", bound=BaseModel)
_Exchange: TypeAlias = Generator[
    float | None, httpx.Response | httpx.TransportError, httpx.Response
]


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


class Client:
    """Talks to the service from ordinary code; safe to share between threads."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepares a client; nothing is sent yet.

        Args:
            url: where the service listens.
            timeout_s: longest wait for a connection or for the next bytes.
            retries: further tries when the service is busy or cannot be reached.
            transport: another way to send, for tests.
        """
        self._http = httpx.Client(base_url=url, timeout=timeout_s, transport=transport)
        self._retries = retries

    def localize(self, features: Features, **options: Unpack[Options]) -> LocalizeResponse:
        """Returns the action segments of a video.

        Raises:
            LocalizerServiceError: the service refused it or could not be reached.
        """
        return _read(LocalizeResponse, self._send(_localize_request(self._http, features, options)))

    def localize_many(
        self, videos: Iterable[Features], *, concurrency: int = 4, **options: Unpack[Options]
    ) -> Iterator[LocalizeResponse | LocalizerServiceError]:
        """Yields the answer to each video in order, or the error that it met.

        At most `concurrency` requests are under way, and no more videos than that are read ahead.
        """
        with ThreadPoolExecutor(concurrency) as pool:
            running: deque[Future[LocalizeResponse]] = deque()
            try:
                for features in videos:
                    if len(running) == concurrency:
                        yield _outcome(running.popleft())
                    running.append(pool.submit(self.localize, features, **options))
                while running:
                    yield _outcome(running.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def models(self) -> list[ModelSummary]:
        """Returns every version of every model."""
        return _read(ModelList, self._get("/models")).models

    def model(self, name: str, version: int) -> ModelDetail:
        """Returns all that one version of a model says of itself."""
        return _read(ModelDetail, self._get(f"/models/{name}/versions/{version}"))

    def health(self) -> Health:
        """Returns the state of the service."""
        return _read(Health, self._get("/health"))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _get(self, path: str) -> httpx.Response:
        return self._send(self._http.build_request("GET", path))

    def _send(self, request: httpx.Request) -> httpx.Response:
        exchange = _exchange(self._retries)
        delay_s = next(exchange)
        while True:
            if delay_s:
                time.sleep(delay_s)
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._http.send(request)
            except httpx.TransportError as error:
                outcome = error
            try:
                delay_s = exchange.send(outcome)
            except StopIteration as stop:
                response: httpx.Response = stop.value
                return response

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient:
    """Talks to the service from asyncio."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = 60.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepares a client; see `Client`."""
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_s, transport=transport)
        self._retries = retries

    async def localize(self, features: Features, **options: Unpack[Options]) -> LocalizeResponse:
        """Returns the action segments of a video; see `Client.localize`."""
        request = await asyncio.to_thread(_localize_request, self._http, features, options)
        return _read(LocalizeResponse, await self._send(request))

    async def localize_many(
        self, videos: Iterable[Features], *, concurrency: int = 4, **options: Unpack[Options]
    ) -> AsyncIterator[LocalizeResponse | LocalizerServiceError]:
        """Yields the answer to each video in order, or its error; see `Client.localize_many`."""
        running: deque[asyncio.Task[LocalizeResponse]] = deque()
        try:
            for features in videos:
                if len(running) == concurrency:
                    yield await _outcome_async(running.popleft())
                running.append(asyncio.create_task(self.localize(features, **options)))
            while running:
                yield await _outcome_async(running.popleft())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def models(self) -> list[ModelSummary]:
        """Returns every version of every model."""
        return _read(ModelList, await self._get("/models")).models

    async def model(self, name: str, version: int) -> ModelDetail:
        """Returns all that one version of a model says of itself."""
        return _read(ModelDetail, await self._get(f"/models/{name}/versions/{version}"))

    async def health(self) -> Health:
        """Returns the state of the service."""
        return _read(Health, await self._get("/health"))

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _get(self, path: str) -> httpx.Response:
        return await self._send(self._http.build_request("GET", path))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        exchange = _exchange(self._retries)
        delay_s = next(exchange)
        while True:
            if delay_s:
                await asyncio.sleep(delay_s)
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._http.send(request)
            except httpx.TransportError as error:
                outcome = error
            try:
                delay_s = exchange.send(outcome)
            except StopIteration as stop:
                response: httpx.Response = stop.value
                return response

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _localize_request(
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


def _load(path: str | Path) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LocalizerServiceError(f"{path} is not a readable .npy file: {error}") from error
    return array


def _exchange(retries: int) -> _Exchange:
    """Yields how long to wait before each try, takes what came of it, returns the final answer.

    A request may be repeated: all that the service does for it is compute.

    Raises:
        LocalizerServiceError: the service refused, or the tries are used up.
    """
    outcome = yield 0.0
    for attempt in range(retries):
        if isinstance(outcome, httpx.Response) and outcome.status_code not in RETRIED_STATUSES:
            break
        outcome = yield retry_delay_s(outcome, attempt)
    if isinstance(outcome, httpx.TransportError):
        raise LocalizerServiceError(
            f"the service cannot be reached after {retries + 1} tries: {outcome}"
        ) from outcome
    if outcome.is_success:
        return outcome
    raise _refusal(outcome)


def retry_delay_s(outcome: httpx.Response | httpx.TransportError, attempt: int) -> float:
    """Returns how long to wait: as Retry-After says, else twice as long each time, with jitter."""
    asked = outcome.headers.get("retry-after") if isinstance(outcome, httpx.Response) else None
    if asked and asked.strip().isdigit():
        return min(float(asked), LONGEST_DELAY_S)
    date = email.utils.parsedate_tz(asked) if asked else None
    if date:
        return min(max(email.utils.mktime_tz(date) - time.time(), 0.0), LONGEST_DELAY_S)
    longest_s = min(FIRST_DELAY_S * 2**attempt, LONGEST_DELAY_S)
    return random.uniform(longest_s / 2, longest_s)


def _refusal(response: httpx.Response) -> LocalizerServiceError:
    try:
        told = Problem.model_validate_json(response.content)
    except ValidationError:
        return LocalizerServiceError(
            f"{response.request.url}: HTTP {response.status_code}", response.status_code
        )
    return LocalizerServiceError(told.detail, told.status, told.type.rpartition(":")[2])


def _read(kind: type[_Answer], response: httpx.Response) -> _Answer:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise LocalizerServiceError(
            f"{response.request.url} did not answer as this service does: {error}",
            response.status_code,
        ) from error


def _outcome(future: Future[LocalizeResponse]) -> LocalizeResponse | LocalizerServiceError:
    try:
        return future.result()
    except LocalizerServiceError as error:
        return error


async def _outcome_async(
    task: asyncio.Task[LocalizeResponse],
) -> LocalizeResponse | LocalizerServiceError:
    try:
        return await task
    except LocalizerServiceError as error:
        return error

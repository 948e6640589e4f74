"""Clients of the service, sync and async; they need httpx, numpy and pydantic only.

    from ecm_client.clients import Client

    with Client("http://127.0.0.1:8000") as client:
        for segment in client.localize("features.npy", duration_s=93.4).segments:
            print(segment.label, segment.start_s, segment.end_s, segment.score)
        client.localize_video("video.mp4", on_progress=print)

Both share what a call is (ecm_client/exchange.py) and differ in how they send and wait.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, Unpack

import httpx

from ecm_client.exchange import (
    Features,
    LocalizerServiceError,
    OnProgress,
    Options,
    Progress,
    Video,
    exchange,
    is_final,
    job_delays_s,
    key_header,
    localize_request,
    progress_of,
    read_answer,
    result_of,
    video_request,
)
from ecm_client.schemas import Health, Job, LocalizeResponse, ModelDetail, ModelList, ModelSummary

__all__ = ["DEFAULT_URL", "AsyncClient", "Client", "Features", "LocalizerServiceError", "Options",
           "Progress", "Video"]  # fmt: skip

DEFAULT_URL = "http://127.0.0.1:8000"


def _ignore(_: Progress) -> None:
    pass


class Client:
    """Talks to the service from ordinary code; safe to share between threads."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepares a client; nothing is sent yet.

        Args:
            url: where the service listens.
            api_key: where the service has keys.
            timeout_s: longest wait for a connection or for the next bytes.
            retries: further tries when the service is busy or cannot be reached.
            transport: another way to send, for tests.
        """
        self._http = httpx.Client(
            base_url=url, headers=key_header(api_key), timeout=timeout_s, transport=transport
        )
        self._retries = retries

    def localize(self, features: Features, **options: Unpack[Options]) -> LocalizeResponse:
        """Returns the action segments of a video.

        Raises:
            LocalizerServiceError: the service refused it or could not be reached.
        """
        return read_answer(
            LocalizeResponse, self._send(localize_request(self._http, features, options))
        )

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

    def localize_video(
        self, video: Video, *, on_progress: OnProgress = _ignore, **options: Unpack[Options]
    ) -> LocalizeResponse:
        """Uploads a video file, or names one by its URI, and waits for its action segments.

        Args:
            video: a path, or a URI that the service is allowed to fetch.
            on_progress: is told again and again how far it is.
            **options: as for `localize`, without those that tell the features' clock.

        Raises:
            LocalizerServiceError: the service refused it, could not be reached, or failed.
        """
        job = self.submit_video(video, on_progress=on_progress, **options)
        delays_s = job_delays_s()
        while not is_final(job):
            on_progress(progress_of(job))
            time.sleep(next(delays_s))
            job = self.job(job.id)
        return result_of(job)

    def submit_video(
        self, video: Video, *, on_progress: OnProgress = _ignore, **options: Unpack[Options]
    ) -> Job:
        """Hands in a video as `localize_video` does, and returns its job at once."""
        return read_answer(Job, self._send(video_request(self._http, video, options, on_progress)))

    def job(self, job_id: str) -> Job:
        """Returns a job as it is now, with its result if it is done."""
        return read_answer(Job, self._get(f"/jobs/{job_id}"))

    def cancel_job(self, job_id: str) -> Job:
        """Cancels a job unless it is finished, and returns it."""
        return read_answer(Job, self._send(self._http.build_request("DELETE", f"/jobs/{job_id}")))

    def models(self) -> list[ModelSummary]:
        """Returns every version of every model."""
        return read_answer(ModelList, self._get("/models")).models

    def model(self, name: str, version: int) -> ModelDetail:
        """Returns all that one version of a model says of itself."""
        return read_answer(ModelDetail, self._get(f"/models/{name}/versions/{version}"))

    def health(self) -> Health:
        """Returns the state of the service."""
        return read_answer(Health, self._get("/health"))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _get(self, path: str) -> httpx.Response:
        return self._send(self._http.build_request("GET", path))

    def _send(self, request: httpx.Request) -> httpx.Response:
        tries = exchange(self._retries)
        delay_s = next(tries)
        while True:
            if delay_s:
                time.sleep(delay_s)
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._http.send(request)
            except httpx.TransportError as error:
                outcome = error
            try:
                delay_s = tries.send(outcome)
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
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepares a client; see `Client`."""
        self._http = httpx.AsyncClient(
            base_url=url, headers=key_header(api_key), timeout=timeout_s, transport=transport
        )
        self._retries = retries

    async def localize(self, features: Features, **options: Unpack[Options]) -> LocalizeResponse:
        """Returns the action segments of a video; see `Client.localize`."""
        request = await asyncio.to_thread(localize_request, self._http, features, options)
        return read_answer(LocalizeResponse, await self._send(request))

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

    async def localize_video(
        self, video: Video, *, on_progress: OnProgress = _ignore, **options: Unpack[Options]
    ) -> LocalizeResponse:
        """Has a video localized; see `Client.localize_video`."""
        job = await self.submit_video(video, on_progress=on_progress, **options)
        delays_s = job_delays_s()
        while not is_final(job):
            on_progress(progress_of(job))
            await asyncio.sleep(next(delays_s))
            job = await self.job(job.id)
        return result_of(job)

    async def submit_video(
        self, video: Video, *, on_progress: OnProgress = _ignore, **options: Unpack[Options]
    ) -> Job:
        """Hands in a video as `localize_video` does, and returns its job at once."""
        request = video_request(self._http, video, options, on_progress)
        return read_answer(Job, await self._send(request))

    async def job(self, job_id: str) -> Job:
        """Returns a job as it is now, with its result if it is done."""
        return read_answer(Job, await self._get(f"/jobs/{job_id}"))

    async def cancel_job(self, job_id: str) -> Job:
        """Cancels a job unless it is finished, and returns it."""
        request = self._http.build_request("DELETE", f"/jobs/{job_id}")
        return read_answer(Job, await self._send(request))

    async def models(self) -> list[ModelSummary]:
        """Returns every version of every model."""
        return read_answer(ModelList, await self._get("/models")).models

    async def model(self, name: str, version: int) -> ModelDetail:
        """Returns all that one version of a model says of itself."""
        return read_answer(ModelDetail, await self._get(f"/models/{name}/versions/{version}"))

    async def health(self) -> Health:
        """Returns the state of the service."""
        return read_answer(Health, await self._get("/health"))

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _get(self, path: str) -> httpx.Response:
        return await self._send(self._http.build_request("GET", path))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        tries = exchange(self._retries)
        delay_s = next(tries)
        while True:
            if delay_s:
                await asyncio.sleep(delay_s)
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._http.send(request)
            except httpx.TransportError as error:
                outcome = error
            try:
                delay_s = tries.send(outcome)
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

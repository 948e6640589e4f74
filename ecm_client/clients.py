"""Clients of the service, with and without asyncio.

    from ecm_localizer import Client

    with Client("http://127.0.0.1:8000") as client:
        for segment in client.localize("match.mp4"):
            print(segment.label, segment.start_s, segment.end_s, segment.score)

Both perform the same steps (ecm_client/calls.py) and differ in their sending and waiting.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from ecm_client.calls import Call, Calls, Result, advance
from ecm_client.environment import network_settings_named
from ecm_client.inputs import Source
from ecm_client.localization import Localization
from ecm_client.many import Outcome, outcomes, outcomes_async
from ecm_client.options import OnProgress, Progress, ServiceOptions, ignore_progress
from ecm_client.retries import Reply
from ecm_client.schemas import Health, Job, JobList, ModelDetail, ModelSummary

DEFAULT_URL = "http://127.0.0.1:8000"

T = TypeVar("T")


class Client:
    """A client for ordinary code. Several threads may share one.

    Every method raises LocalizerServiceError if the service refuses the request, fails or cannot
    be reached.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepares a client without connecting.

        Args:
            url: address of the service.
            api_key: key for a service that demands one.
            timeout_s: longest wait for a connection or for the next bytes, in seconds.
            retries: number of further tries while the service is busy or cannot be reached.
            transport: replaces the network in tests.

        Raises:
            InputError: an environment variable for proxies or certificates cannot be used.
        """
        with network_settings_named():
            self._http = httpx.Client(
                base_url=url, headers=_headers(api_key), timeout=timeout_s, transport=transport
            )
        self._calls = Calls(self._http, retries)

    def localize(
        self,
        source: Source,
        *,
        on_progress: OnProgress = ignore_progress,
        **options: Unpack[ServiceOptions],
    ) -> Localization:
        """Returns the action segments of one video.

        An .npy path or an array is features. Any other path, and a URI, is a video; this call then
        uploads the file and waits for its job.

            client.localize("match.mp4", on_progress=print, min_score=0.2)

        Args:
            source: features (snippets, channels) as an array, a torch tensor or the path of an
                .npy file; or a video as the path of its file or a URI that the service may fetch.
            on_progress: called with the `Progress` of a video, several times a second at most.
            **options: see `ServiceOptions`.

        Raises:
            InputError: the input cannot be read, or is no features.
            LocalizerServiceError: the service refused it, failed or cannot be reached.
        """
        return self._run(self._calls.localize(source, options, on_progress), on_progress)

    def localize_many(
        self,
        sources: Iterable[Source],
        *,
        concurrency: int = 4,
        progress_bar: bool | None = None,
        **options: Unpack[ServiceOptions],
    ) -> Iterator[Outcome]:
        """Yields the result of each input in order, or the error that it met.

            for path, outcome in zip(paths, client.localize_many(paths)):
                if isinstance(outcome, LocalizerError):
                    print(path, outcome)

        Args:
            sources: inputs as `localize` takes them; at most `concurrency` are read ahead.
            concurrency: number of inputs at the same time.
            progress_bar: whether to show one; by default only where there is a terminal.
            **options: options of every input; see `ServiceOptions`.
        """

        def localize(source: Source, on_progress: OnProgress) -> Localization:
            return self.localize(source, on_progress=on_progress, **options)

        return outcomes(localize, sources, concurrency=concurrency, progress_bar=progress_bar)

    def submit_video(
        self,
        source: Source,
        *,
        on_progress: OnProgress = ignore_progress,
        **options: Unpack[ServiceOptions],
    ) -> Job:
        """Submits a video as `localize` does, and returns its job without waiting for the result.

        Raises:
            InputError: the video cannot be read, or the input is features.
        """
        return self._run(self._calls.submit_video(source, options, on_progress))

    def jobs(self, *, limit: int = 20, after: str | None = None) -> JobList:
        """Returns a page of jobs without their results, newest first.

        Args:
            limit: most jobs of the page, from 1 to 100.
            after: `next` of the page before; None for the newest jobs.
        """
        return self._run(self._calls.jobs(limit, after))

    def job(self, job_id: str) -> Job:
        """Returns the present state of a job, with its result once it is done."""
        return self._run(self._calls.job(job_id))

    def cancel_job(self, job_id: str) -> Job:
        """Cancels a job unless it is finished, and returns it."""
        return self._run(self._calls.cancel_job(job_id))

    def models(self) -> list[ModelSummary]:
        """Returns every version of every model."""
        return self._run(self._calls.models())

    def model(self, name: str, version: int) -> ModelDetail:
        """Returns one version of a model with its spec."""
        return self._run(self._calls.model(name, version))

    def health(self) -> Health:
        """Returns the state of the service."""
        return self._run(self._calls.health())

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _run(self, call: Call[T], on_progress: OnProgress = ignore_progress) -> T:
        """Performs the steps of a call and returns its result."""
        reply: Reply | None = None
        while not isinstance(step := advance(call, reply), Result):
            reply = None
            if isinstance(step, httpx.Request):
                reply = self._send(step)
            elif isinstance(step, Progress):
                on_progress(step)
            else:
                time.sleep(step)
        return step.value

    def _send(self, request: httpx.Request) -> Reply:
        try:
            return self._http.send(request)
        except httpx.TransportError as error:
            return error

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
    """A client for asyncio, with the methods of `Client`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepares a client without connecting; see `Client`."""
        with network_settings_named():
            self._http = httpx.AsyncClient(
                base_url=url, headers=_headers(api_key), timeout=timeout_s, transport=transport
            )
        self._calls = Calls(self._http, retries)

    async def localize(
        self,
        source: Source,
        *,
        on_progress: OnProgress = ignore_progress,
        **options: Unpack[ServiceOptions],
    ) -> Localization:
        """Returns the action segments of one video; see `Client.localize`."""
        return await self._run(self._calls.localize(source, options, on_progress), on_progress)

    def localize_many(
        self,
        sources: Iterable[Source],
        *,
        concurrency: int = 4,
        progress_bar: bool | None = None,
        **options: Unpack[ServiceOptions],
    ) -> AsyncIterator[Outcome]:
        """Yields the result of each input in order, or its error; see `Client.localize_many`."""

        async def localize(source: Source, on_progress: OnProgress) -> Localization:
            return await self.localize(source, on_progress=on_progress, **options)

        return outcomes_async(localize, sources, concurrency=concurrency, progress_bar=progress_bar)

    async def submit_video(
        self,
        source: Source,
        *,
        on_progress: OnProgress = ignore_progress,
        **options: Unpack[ServiceOptions],
    ) -> Job:
        """Submits a video and returns its job; see `Client.submit_video`."""
        return await self._run(self._calls.submit_video(source, options, on_progress))

    async def jobs(self, *, limit: int = 20, after: str | None = None) -> JobList:
        """Returns a page of jobs without their results, newest first; see `Client.jobs`."""
        return await self._run(self._calls.jobs(limit, after))

    async def job(self, job_id: str) -> Job:
        """Returns the present state of a job, with its result once it is done."""
        return await self._run(self._calls.job(job_id))

    async def cancel_job(self, job_id: str) -> Job:
        """Cancels a job unless it is finished, and returns it."""
        return await self._run(self._calls.cancel_job(job_id))

    async def models(self) -> list[ModelSummary]:
        """Returns every version of every model."""
        return await self._run(self._calls.models())

    async def model(self, name: str, version: int) -> ModelDetail:
        """Returns one version of a model with its spec."""
        return await self._run(self._calls.model(name, version))

    async def health(self) -> Health:
        """Returns the state of the service."""
        return await self._run(self._calls.health())

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _run(self, call: Call[T], on_progress: OnProgress = ignore_progress) -> T:
        """Performs the steps of a call and returns its result.

        A thread goes from step to step, because reading a file may block and parsing takes long.
        """
        reply: Reply | None = None
        while not isinstance(step := await asyncio.to_thread(advance, call, reply), Result):
            reply = None
            if isinstance(step, httpx.Request):
                reply = await self._send(step)
            elif isinstance(step, Progress):
                on_progress(step)
            else:
                await asyncio.sleep(step)
        return step.value

    async def _send(self, request: httpx.Request) -> Reply:
        try:
            return await self._http.send(request)
        except httpx.TransportError as error:
            return error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _headers(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key.strip()}"} if api_key else {}

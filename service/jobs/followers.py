"""Clients that follow jobs: all followers of a job share one poll of the database."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from ecm_client.schemas import Job
from service.errors import OverloadedError, ServiceError

MAX_FOLLOWERS: Final = 200
"""Clients that follow jobs at the same time; each holds a connection."""


class Followers:
    """All clients of a process that follow jobs."""

    def __init__(self) -> None:
        """Starts without followers."""
        self._count = 0
        self._watches: dict[str, _Watch] = {}

    @contextmanager
    def place(self) -> Iterator[None]:
        """Takes a place among the followers.

        Raises:
            OverloadedError: there are too many.
        """
        if self._count >= MAX_FOLLOWERS:
            raise OverloadedError(f"{self._count} clients follow jobs", 1.0)
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def changes(
        self, id_: str, poll: Callable[[str], AsyncIterator[Job]]
    ) -> AsyncGenerator[Job]:
        """Yields the newest state of a job after each poll; a slow reader misses some of them.

        Args:
            id_: id of the job.
            poll: yields a job repeatedly until it is finished; called for the first follower.

        Raises:
            ServiceError: raised by `poll`.
        """
        watch = self._watches.get(id_)
        if watch is None:
            watch = self._watches[id_] = _Watch(poll(id_))
        watch.followers += 1
        try:
            async with aclosing(watch.states()) as states:
                async for job in states:
                    yield job
        finally:
            watch.followers -= 1
            if not watch.followers:
                watch.end()
                if self._watches.get(id_) is watch:
                    del self._watches[id_]


class _Watch:
    """The poll of one job, and its newest state."""

    def __init__(self, states: AsyncIterator[Job]) -> None:
        self.followers = 0
        self._job: Job | None = None
        self._error: ServiceError | None = None
        self._polls = 0
        self._has_ended = False
        self._polled = asyncio.Event()
        self._task = asyncio.create_task(self._poll(states))

    async def states(self) -> AsyncGenerator[Job]:
        """Yields the newest state, once for each poll at most."""
        seen = 0
        while True:
            if self._job and seen < self._polls:
                seen = self._polls
                yield self._job
            elif self._has_ended:
                break
            else:
                await self._polled.wait()
        if self._error:
            raise self._error

    def end(self) -> None:
        """Ends the poll."""
        self._task.cancel()

    async def _poll(self, states: AsyncIterator[Job]) -> None:
        try:
            async for job in states:
                self._job = job
                self._polls += 1
                self._wake()
        except ServiceError as error:
            self._error = error
        finally:
            self._has_ended = True
            self._wake()

    def _wake(self) -> None:
        self._polled.set()
        self._polled = asyncio.Event()

"""Followers of jobs, which share one poll."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from ecm_client.schemas import Job, JobProgress
from service.errors import JobsUnavailableError, OverloadedError
from service.jobs.followers import MAX_FOLLOWERS, Followers

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Poll:
    """A job that makes progress with each poll, and is done or fails after ten."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls = self.polls = 0
        self._fails = fails

    async def __call__(self, id_: str) -> AsyncIterator[Job]:
        """Yields the job after each poll."""
        self.calls += 1
        for done in range(1, 11):
            self.polls += 1
            if self._fails and done == 10:
                raise JobsUnavailableError("gone")
            progress = JobProgress(snippets_done=done)
            state = "done" if done == 10 else "running"
            yield Job(id=id_, state=state, created=BEGIN, progress=progress)
            await asyncio.sleep(0.01)


async def last_of(followers: Followers, poll: Poll, pause_s: float = 0.0) -> int:
    """Returns the progress that a follower saw last."""
    seen = 0
    async for job in followers.changes("a", poll):
        assert job.progress.snippets_done >= seen
        seen = job.progress.snippets_done
        await asyncio.sleep(pause_s)
    return seen


def test_followers_of_a_job_share_one_poll() -> None:
    """All of them see its end, slow ones without the steps between."""

    async def follow() -> None:
        followers, poll = Followers(), Poll()
        pauses = [0.0] * 50 + [0.05] * 5
        ends = await asyncio.gather(*(last_of(followers, poll, pause) for pause in pauses))
        assert ends == [10] * 55
        assert (poll.calls, poll.polls) == (1, 10)
        assert await last_of(followers, poll) == 10  # a later one polls again
        assert poll.calls == 2

    asyncio.run(follow())


def test_poll_ends_with_its_last_follower() -> None:
    """Nobody reads a job that nobody follows."""

    async def follow() -> int:
        followers, poll = Followers(), Poll()
        changes = followers.changes("a", poll)
        assert (await anext(changes)).state == "running"
        await changes.aclose()
        await asyncio.sleep(0.05)
        return poll.polls

    assert asyncio.run(follow()) <= 2


def test_error_of_the_poll_reaches_all_followers() -> None:
    """The database may be gone."""

    async def follow() -> list[int | BaseException]:
        followers, poll = Followers(), Poll(fails=True)
        several = (last_of(followers, poll) for _ in range(3))
        return await asyncio.gather(*several, return_exceptions=True)

    assert [type(end) for end in asyncio.run(follow())] == [JobsUnavailableError] * 3


def test_followers_are_limited_in_number() -> None:
    """A place that is given back is free for another."""
    followers = Followers()
    with ExitStack() as places:
        for _ in range(MAX_FOLLOWERS):
            places.enter_context(followers.place())
        with pytest.raises(OverloadedError, match="200 clients follow jobs"):
            places.enter_context(followers.place())
    with followers.place():
        pass

"""Many inputs in order, several at the same time; one that fails costs no other.

A progress bar shows how many are done, where there is a terminal.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sized
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ecm_client.errors import InputError, LocalizerError
from ecm_client.inputs import Source
from ecm_client.localization import Localization
from ecm_client.options import OnProgress, Progress

if TYPE_CHECKING:
    from tqdm import tqdm

Outcome: TypeAlias = Localization | LocalizerError
Work = TypeVar("Work")


def outcomes(
    localize: Callable[[Source, OnProgress], Localization],
    sources: Iterable[Source],
    *,
    concurrency: int,
    progress_bar: bool | None,
) -> Iterator[Outcome]:
    """Yields the result or the error of each input, in order.

    An unexpected error of any library becomes a LocalizerError with that error as its cause.

    Args:
        localize: localizes one input.
        sources: inputs; at most `concurrency` are read ahead.
        concurrency: number of inputs at the same time.
        progress_bar: whether to show one; None for only where there is a terminal.

    Raises:
        InputError: the concurrency is not a positive whole number.
    """
    _check(concurrency)
    closed = threading.Event()
    running: deque[Future[Localization]] = deque()
    with closing(_bar(sources, progress_bar)) as bar:

        def show(progress: Progress) -> None:
            if closed.is_set():  # ends the work on a long video whose result nobody will take
                raise CancelledError
            bar.set_postfix_str(str(progress))

        def start(source: Source) -> Future[Localization]:
            return pool.submit(localize, source, show)

        pool = ThreadPoolExecutor(concurrency)
        try:
            for future in _in_turn(start, sources, running, concurrency):
                yield _outcome(future)
                bar.update()
        finally:
            closed.set()
            pool.shutdown(wait=False, cancel_futures=True)


async def outcomes_async(
    localize: Callable[[Source, OnProgress], Coroutine[Any, Any, Localization]],
    sources: Iterable[Source],
    *,
    concurrency: int,
    progress_bar: bool | None,
) -> AsyncIterator[Outcome]:
    """Yields the result or the error of each input, in order; see `outcomes`."""
    _check(concurrency)
    running: deque[asyncio.Task[Localization]] = deque()
    with closing(_bar(sources, progress_bar)) as bar:

        def start(source: Source) -> asyncio.Task[Localization]:
            return asyncio.create_task(
                localize(source, lambda progress: bar.set_postfix_str(str(progress)))
            )

        try:
            for task in _in_turn(start, sources, running, concurrency):
                await asyncio.wait([task])
                yield _outcome(task)
                bar.update()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _in_turn(
    start: Callable[[Source], Work],
    sources: Iterable[Source],
    running: deque[Work],
    concurrency: int,
) -> Iterator[Work]:
    """Starts the work on each input and yields it in order, before more than `concurrency` run."""
    for source in sources:
        if len(running) == concurrency:
            yield running.popleft()
        running.append(start(source))
    while running:
        yield running.popleft()


def _outcome(work: Future[Localization] | asyncio.Task[Localization]) -> Outcome:
    try:
        return work.result()
    except LocalizerError as error:
        return error
    except CancelledError:
        raise
    except Exception as error:  # any, because one input must cost no other its result
        failure = LocalizerError(f"{type(error).__name__}: {error}")
        failure.__cause__ = error
        return failure


def _check(concurrency: int) -> None:
    if not isinstance(concurrency, int) or concurrency < 1:
        raise InputError(f"expected a concurrency of at least 1, got {concurrency!r}")


def _bar(sources: Iterable[Source], shown: bool | None) -> "tqdm[Any]":
    from tqdm import tqdm  # loaded here, so that a client loads httpx, numpy and pydantic only

    total = len(sources) if isinstance(sources, Sized) else None
    return tqdm(total=total, unit="video", disable=None if shown is None else not shown)

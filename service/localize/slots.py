"""Computes requests in a limited number of worker threads, each until its deadline."""

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request

from service.errors import DeadlineExceededError, UnusableInputError
from service.http.admission import Admission, Ticket
from service.http.request_record import RequestRecord
from service.localize.stop import Stop, StoppedError

TIMEOUT = "X-Request-Timeout"
"""Header with the seconds after which the client no longer needs the result."""
STUCK_S = 30.0
"""Time after its deadline at which work that still runs counts as hanging."""
_Result = TypeVar("_Result")


class Slots:
    """Runs each request in a thread when a slot is free."""

    def __init__(self, admission: Admission, max_request_s: float) -> None:
        """Starts with all slots free.

        Args:
            admission: sets the number of slots, and records the time of each request.
            max_request_s: longest time from a request's last byte to its result.
        """
        self.limiter = CapacityLimiter(admission.bounds.concurrency)
        self._admission = admission
        self._max_request_s = max_request_s
        self._late_since_s: dict[Stop, float] = {}

    def stuck(self) -> bool:
        """Returns whether work hangs. Its slot is lost; only a restart of the process helps."""
        now_s = perf_counter()
        return any(now_s - since_s > STUCK_S for since_s in self._late_since_s.values())

    async def compute(
        self, request: Request, work: Callable[[Stop], _Result], *, is_typical: bool = True
    ) -> _Result:
        """Returns the result of `work`, called in a worker thread.

        The work is stopped at its deadline or when the client disconnects. It occupies its slot
        until it ends.

        Args:
            request: request whose body has arrived.
            work: the work, which checks its `Stop`.
            is_typical: whether the expected waiting time of other requests follows from its time.

        Raises:
            OverloadedError: the request was not admitted to the queue before, and is refused now.
            UnusableInputError: header X-Request-Timeout is not a positive number.
            DeadlineExceededError: there was no result before the deadline.
            ClientDisconnect: the client disconnected.
        """
        limit_s = min(self._max_request_s, _timeout_s(request))
        ticket: Ticket = request.state.ticket
        ticket.queue()
        waiting = CancelScope()
        stop = Stop(waiting.cancel)
        record: RequestRecord = request.state.record
        run = partial(self._run, work, stop, record, perf_counter(), is_typical)
        timer = asyncio.get_running_loop().call_later(limit_s, self._end_late, stop)
        watch = asyncio.create_task(_watch(request, stop))
        try:
            with waiting:
                return await to_thread.run_sync(run, limiter=self.limiter)
        except StoppedError:
            pass
        finally:
            timer.cancel()
            watch.cancel()
            self._late_since_s.pop(stop, None)
        if stop.reason == "disconnected":
            raise ClientDisconnect
        raise DeadlineExceededError(
            f"there was no result within {limit_s:g} s; the request was "
            f"{'being computed' if stop.begun else 'still waiting'}"
        )

    def _end_late(self, stop: Stop) -> None:
        self._late_since_s[stop] = perf_counter()
        stop.set("late")

    def _run(
        self,
        work: Callable[[Stop], _Result],
        stop: Stop,
        record: RequestRecord,
        received_s: float,
        is_typical: bool,
    ) -> _Result:
        began_s = perf_counter()
        record.stages_s["wait"] = began_s - received_s
        stop.begin()
        result = work(stop)
        # Not reached by refused requests, whose short time would distort the mean.
        if is_typical:
            self._admission.worked(perf_counter() - began_s)
        return result


def _timeout_s(request: Request) -> float:
    text = request.headers.get(TIMEOUT, "inf")
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = 0.0
    if not timeout_s > 0:
        raise UnusableInputError(
            f"expected header {TIMEOUT}: SECONDS, a number above 0, got {text!r}"
        )
    return timeout_s


async def _watch(request: Request, stop: Stop) -> None:
    """Stops the work when the client, which has sent its whole request, disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stop.set("disconnected")

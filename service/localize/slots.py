"""Computes requests in threads: a few at a time, no longer than anyone waits for them."""

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
"""Header with the seconds after which the client gives up."""
STUCK_S = 30.0
"""Work that goes on for so long after it was given up hangs."""
_Result = TypeVar("_Result")


class Slots:
    """Gives each request a thread once there is a slot."""

    def __init__(self, admission: Admission, max_request_s: float) -> None:
        """Begins with all slots free.

        Args:
            admission: lets requests in, and is told how long they take.
            max_request_s: longest time from a request's last byte to its result.
        """
        self.limiter = CapacityLimiter(admission.bounds.concurrency)
        self._admission = admission
        self._max_request_s = max_request_s
        self._late_since_s: dict[Stop, float] = {}

    def stuck(self) -> bool:
        """Returns whether work hangs: its slot will not come back, a new process would help."""
        now_s = perf_counter()
        return any(now_s - since_s > STUCK_S for since_s in self._late_since_s.values())

    async def compute(self, request: Request, work: Callable[[Stop], _Result]) -> _Result:
        """Returns what the work returns.

        The work is given up when its time is over or its client leaves; it holds its slot until it
        has ended.

        Raises:
            OverloadedError: it was not yet let in, and is not now.
            UnusableInputError: the request's timeout is no number of seconds.
            DeadlineExceededError: its time was up.
            ClientDisconnect: its client left.
        """
        limit_s = min(self._max_request_s, _timeout_s(request))
        ticket: Ticket = request.state.ticket
        ticket.queue()
        waiting = CancelScope()
        stop = Stop(waiting.cancel)
        run = partial(self._run, work, stop, request.state.record, perf_counter())
        timer = asyncio.get_running_loop().call_later(limit_s, self._give_up, stop)
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
        if stop.reason == "left":
            raise ClientDisconnect
        raise DeadlineExceededError(
            f"there was no result within {limit_s:g} s; the request was "
            f"{'computed' if stop.begun else 'waiting for its turn'} then"
        )

    def _give_up(self, stop: Stop) -> None:
        self._late_since_s[stop] = perf_counter()
        stop.set("late")

    def _run(
        self,
        work: Callable[[Stop], _Result],
        stop: Stop,
        record: RequestRecord,
        asked_s: float,
    ) -> _Result:
        began_s = perf_counter()
        record.stages_s["wait"] = began_s - asked_s
        stop.begin()
        result = work(stop)
        # What is refused takes no time to speak of, and tells nothing.
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
    """Stops the work when a client leaves that has sent all of its request."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stop.set("left")

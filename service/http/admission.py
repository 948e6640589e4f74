"""Which requests are let in: so many that none waits long, and that memory suffices.

It is decided before a request's body is read. Only of a form it is known later whether it is to be
computed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from service.errors import BodyTooSlowError, OverloadedError
from service.http.buffers import Buffers

SLOW_S = 0.5
"""A body that takes longer to arrive is slow: its request holds no place that others wait for."""
_NEWEST_SHARE = 0.1
"""Weight of the newest request in the mean of how long they take."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be under way."""

    concurrency: int
    """Requests that are computed at the same time."""
    max_waiting: int
    """Requests that wait for that."""
    max_wait_s: float
    """How long one may have to, as far as can be foreseen."""
    max_memory_bytes: int
    """What their bodies may take."""


class Admission:
    """Keeps account of what is under way; used from the event loop, but for `worked`."""

    def __init__(self, bounds: Bounds, buffers: Buffers) -> None:
        """Begins with nothing under way."""
        self.bounds = bounds
        self.buffers = buffers
        self.requests = 0
        """Requests that are computed or will soon be."""
        self.memory_bytes = 0
        """What the bodies of requests that are under way may take."""
        self.slow_memory_bytes = 0
        """Those of them whose bodies arrive slowly."""
        self._work_s = 0.0

    def worked(self, elapsed_s: float) -> None:
        """Notes how long a request was computed."""
        share = _NEWEST_SHARE if self._work_s else 1.0
        self._work_s += share * (elapsed_s - self._work_s)

    def expected_wait_s(self) -> float:
        """Returns how long one more request would wait until it is computed."""
        before = max(0, self.requests + 1 - self.bounds.concurrency)
        return before * self._work_s / self.bounds.concurrency

    def check_queue(self) -> None:
        """Lets one more request wait, or does not.

        Raises:
            OverloadedError: too many do already, or it would take too long.
        """
        wait_s, bounds = self.expected_wait_s(), self.bounds
        waiting = self.requests - bounds.concurrency
        if waiting >= bounds.max_waiting:
            raise OverloadedError(f"{waiting} requests wait already", wait_s)
        if wait_s > bounds.max_wait_s:
            raise OverloadedError(
                f"this request would wait for {wait_s:.2g} s, the limit is {bounds.max_wait_s:g} s",
                wait_s,
            )

    def check_memory(self, room_bytes: int) -> None:
        """Lets a body in, or does not.

        Raises:
            OverloadedError: those that are under way leave no room for it.
        """
        if self.memory_bytes + room_bytes > self.bounds.max_memory_bytes:
            raise OverloadedError(
                "the requests that are under way leave no room for this body",
                self.expected_wait_s(),
            )


class Ticket:
    """One request's part in what is under way, from its head to its answer."""

    def __init__(self, admission: Admission, room_bytes: int, *, computed: bool) -> None:
        """Lets a request in.

        Args:
            admission: keeps the account.
            room_bytes: what its body may take.
            computed: whether it is already known that the network will run for it.

        Raises:
            OverloadedError: the service is too busy.
        """
        self._admission = admission
        self._room_bytes = min(room_bytes, admission.bounds.max_memory_bytes)
        self._queued = False
        self._lent = ExitStack()
        admission.check_memory(self._room_bytes)
        if computed:
            self.queue()
        admission.memory_bytes += self._room_bytes

    def queue(self) -> None:
        """Takes a place among those that are to be computed, once.

        Raises:
            OverloadedError: the service is too busy.
        """
        if not self._queued:
            self._admission.check_queue()
            self._take_place()

    def lend(self, length: int) -> memoryview:
        """Returns a buffer for the body, to be used until the ticket is given back."""
        return self._lent.enter_context(self._admission.buffers.lent(length))

    def leave(self) -> None:
        """Gives the place back, if there is one; the request goes on by other means."""
        if self._queued:
            self._queued = False
            self._admission.requests -= 1

    def give_back(self) -> None:
        """Ends it: the request is answered."""
        self.leave()
        self._lent.close()
        self._admission.memory_bytes -= self._room_bytes

    @asynccontextmanager
    async def receiving(self, longest_s: float) -> AsyncIterator[None]:
        """Receives the body meanwhile; one that is slow steps aside until it is there.

        Raises:
            BodyTooSlowError: it is not there in time, or slow bodies take half of the memory.
        """
        queued, slow = self._queued, False

        def step_aside() -> None:
            nonlocal slow
            slow = True
            self.leave()
            self._admission.slow_memory_bytes += self._room_bytes
            if 2 * self._admission.slow_memory_bytes > self._admission.bounds.max_memory_bytes:
                limit.reschedule(0)

        timer = asyncio.get_running_loop().call_later(SLOW_S, step_aside)
        try:
            async with asyncio.timeout(longest_s) as limit:
                yield
        except TimeoutError:
            raise BodyTooSlowError("the body came too slowly; send it again") from None
        finally:
            timer.cancel()
            if slow:
                self._admission.slow_memory_bytes -= self._room_bytes
                if queued:
                    self._take_place()

    def _take_place(self) -> None:
        self._queued = True
        self._admission.requests += 1

"""Admission control: the requests that the service accepts, given its queue and its memory.

A request is admitted or refused before its body is read. The one exception is a form: whether a
form needs the network, and memory for features, is known only after its body is read. A body takes
memory only if a route reads it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from service.errors import BodyTooSlowError, OverloadedError
from service.http.buffers import Buffers

UPLOAD_BYTES = 4 * 1024 * 1024
"""Memory of a body that goes to the disk: its newest part, and the short fields of a form."""
SLOW_S = 0.5
"""A body that takes longer than this is slow; its request gives up its place in the queue."""
_NEWEST_WEIGHT = 0.1
"""Weight of the newest request in the moving average of computing times."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits on the requests in flight."""

    concurrency: int
    """Requests that are computed at the same time."""
    max_waiting: int
    """Requests that may wait to be computed."""
    max_wait_s: float
    """Longest expected wait of an admitted request."""
    max_memory_bytes: int
    """Memory for the bodies of all requests in flight."""
    max_uploads: int
    """Bodies that go to the disk at the same time."""


class Admission:
    """Counts the requests in flight; used from the event loop only, except for `worked`."""

    def __init__(self, bounds: Bounds, buffers: Buffers) -> None:
        """Starts with no requests in flight."""
        self.bounds = bounds
        self.buffers = buffers
        self.requests = 0
        """Requests that are being computed or wait to be."""
        self.memory_bytes = 0
        """Memory reserved for the bodies of all requests in flight."""
        self.uploads = 0
        """Bodies that go to the disk."""
        self.slow_memory_bytes = 0
        """Part of `memory_bytes` that belongs to slow bodies."""
        self._work_s = 0.0

    def worked(self, elapsed_s: float) -> None:
        """Adds the computing time of one request to the moving average."""
        weight = _NEWEST_WEIGHT if self._work_s else 1.0
        self._work_s += weight * (elapsed_s - self._work_s)

    def expected_wait_s(self) -> float:
        """Returns how long one more request would wait until it is computed."""
        ahead = max(0, self.requests + 1 - self.bounds.concurrency)
        return ahead * self._work_s / self.bounds.concurrency

    def check_queue(self) -> None:
        """Checks that one more request may wait.

        Raises:
            OverloadedError: the queue is full, or the wait would be too long.
        """
        wait_s, bounds = self.expected_wait_s(), self.bounds
        waiting = self.requests - bounds.concurrency
        if waiting >= bounds.max_waiting:
            raise OverloadedError(f"{waiting} requests are waiting", wait_s)
        if wait_s > bounds.max_wait_s:
            raise OverloadedError(
                f"this request would wait for {wait_s:.2g} s, the limit is {bounds.max_wait_s:g} s",
                wait_s,
            )

    def check_memory(self, body_bytes: int) -> None:
        """Checks that there is memory for one more body.

        Raises:
            OverloadedError: the requests in flight leave too little memory for it.
        """
        if self.memory_bytes + body_bytes > self.bounds.max_memory_bytes:
            raise OverloadedError(
                "the requests in flight leave no memory for this body", self.expected_wait_s()
            )

    def check_uploads(self) -> None:
        """Checks that one more body may go to the disk.

        Raises:
            OverloadedError: too many do.
        """
        if self.uploads >= self.bounds.max_uploads:
            raise OverloadedError(f"{self.uploads} uploads are in progress", self.expected_wait_s())


class Ticket:
    """Reservation of one request, from its headers to the end of its response."""

    def __init__(self, admission: Admission, *, computed: bool) -> None:
        """Admits a request.

        Args:
            admission: counts the requests in flight.
            computed: whether the request is known to need the network.

        Raises:
            OverloadedError: the service is too busy.
        """
        self._admission = admission
        self._body_bytes = 0
        self._queued = False
        self._is_upload = False
        self._lent = ExitStack()
        if computed:
            self.queue()

    def reserve(self, body_bytes: int) -> None:
        """Reserves memory before it is used, until the end of the response.

        A request that wants more than all memory gets all of it, if no other request has any.

        Raises:
            OverloadedError: the requests in flight leave too little memory.
        """
        body_bytes = min(body_bytes, self._admission.bounds.max_memory_bytes - self._body_bytes)
        self._admission.check_memory(body_bytes)
        self._admission.memory_bytes += body_bytes
        self._body_bytes += body_bytes

    def upload(self) -> None:
        """Takes a place for a body that goes to the disk, until the end of the response.

        Raises:
            OverloadedError: too many bodies go to the disk, or there is no memory for their parts.
        """
        self._admission.check_uploads()
        self.reserve(UPLOAD_BYTES)
        self._is_upload = True
        self._admission.uploads += 1

    def queue(self) -> None:
        """Takes a place in the queue, unless the request has one.

        Raises:
            OverloadedError: the service is too busy.
        """
        if not self._queued:
            self._admission.check_queue()
            self._take_place()

    def lend(self, length: int) -> memoryview:
        """Returns a buffer for the body, valid until `give_back`."""
        return self._lent.enter_context(self._admission.buffers.lent(length))

    def leave(self) -> None:
        """Gives up the place in the queue, if there is one; the request itself goes on."""
        if self._queued:
            self._queued = False
            self._admission.requests -= 1

    def give_back(self) -> None:
        """Releases the place, the buffers and the memory after the response."""
        self.leave()
        self._lent.close()
        self._admission.memory_bytes -= self._body_bytes
        self._admission.uploads -= self._is_upload

    @asynccontextmanager
    async def receiving(self, longest_s: float) -> AsyncIterator[None]:
        """Watches the body arrive; a slow one gives up its place until it is complete.

        Raises:
            BodyTooSlowError: the body took longer than `longest_s`, or slow bodies together hold
                more than half of the memory.
        """
        queued, slow = self._queued, False

        def step_aside() -> None:
            nonlocal slow
            slow = True
            self.leave()
            self._admission.slow_memory_bytes += self._body_bytes
            if 2 * self._admission.slow_memory_bytes > self._admission.bounds.max_memory_bytes:
                limit.reschedule(0)

        timer = asyncio.get_running_loop().call_later(SLOW_S, step_aside)
        try:
            async with asyncio.timeout(longest_s) as limit:
                yield
        except TimeoutError:
            raise BodyTooSlowError("the body arrived too slowly; send it again") from None
        finally:
            timer.cancel()
            if slow:
                self._admission.slow_memory_bytes -= self._body_bytes
                if queued:
                    self._take_place()

    def _take_place(self) -> None:
        self._queued = True
        self._admission.requests += 1

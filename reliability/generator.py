"""Sends requests at the times that it is told, whatever comes back, from a process of its own.

`python -m reliability.generator` reads an `Order` as JSON and writes an `Account` as JSON. A
request counts from the moment when it should have been sent: a server that is slow to accept, or a
generator that is late, cannot hide it (no coordinated omission).
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Literal, TypeAlias, cast

import uvloop

Sending: TypeAlias = Literal["expect", "at-once"]
"""`expect`: Expect: 100-continue, and the body when that comes; `at-once`: all of it together."""

_CONTINUE, _HEAD_END = b"HTTP/1.1 100", b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent."""

    port: int
    """Where the server listens on the loopback."""
    bodies: str
    """Folder with bodies, one a file; their names are their shapes, as 750,2048."""
    begin_s: float
    """Monotonic time of the first request."""
    seconds: float
    """How long requests are sent."""
    rate: float | None
    """Requests a second; None for as many as `clients` get answered."""
    clients: int
    """Clients that wait for each other's end, without a rate."""
    sendings: tuple[Sending, ...]
    """How bodies are sent, in turn."""
    patience_s: float
    """After so long a client goes."""
    most_open: int
    """Connections at a time; what would need more is not sent."""
    seed: int
    """Of the order of bodies."""


@dataclass(slots=True)
class Account:
    """What came of the requests; the lists belong together."""

    at_s: list[float] = field(default_factory=list)
    """When each was to be sent, from the beginning."""
    latency_s: list[float] = field(default_factory=list)
    """From then to the last byte of its answer, or to its end without one."""
    status: list[int] = field(default_factory=list)
    """Of the answer; one of the codes below where there was none."""
    sending: list[Sending] = field(default_factory=list)
    """How its body was sent."""
    has_retry_after: list[bool] = field(default_factory=list)
    """Whether the answer told when to try again."""
    late_s: float = 0.0
    """The longest that a request was begun too late, by the generator's own fault."""
    cpu_s: float = 0.0
    """CPU that the generator took."""


NO_ANSWER, NO_PATIENCE, NOT_SENT = 0, -1, -2
"""The connection ended without an answer; the client left; too many connections were open."""


class _Exchange(asyncio.Protocol):
    """One request over one connection."""

    def __init__(
        self, head: bytes, body: bytes, sending: Sending, done: asyncio.Future[None]
    ) -> None:
        self._head = head
        self._body = body
        self._sending = sending
        self.done = done
        self._received = bytearray()
        self.transport: asyncio.Transport | None = None
        self.status = NO_ANSWER
        self.has_retry_after = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self.transport.write(self._head)
        if self._sending == "at-once":
            self.transport.write(self._body)

    def data_received(self, data: bytes) -> None:
        """Looks for the status, and for leave to send the body."""
        self._received += data
        if self._received.startswith(_CONTINUE):
            if _HEAD_END not in self._received:
                return
            del self._received[: self._received.index(_HEAD_END) + len(_HEAD_END)]
            assert self.transport
            self.transport.write(self._body)
        end = self._received.find(_HEAD_END)
        if end < 0 or self.status:
            return
        head = bytes(self._received[:end]).lower()
        self.status = int(head.split(b" ", 2)[1])
        self.has_retry_after = b"\r\nretry-after:" in head
        if self.status >= 400 and self.transport:
            self.transport.abort()  # what was not sent yet, need not be

    def connection_lost(self, _: Exception | None) -> None:
        """Ends."""
        if not self.done.done():
            self.done.set_result(None)


class _Generator:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._account = Account()
        self._open = self._begun = 0
        self._requests = list(_prepared(order))
        self._random = Random(order.seed)

    async def run(self) -> Account:
        """Returns what came of the order."""
        order = self._order
        if order.rate is None:
            await asyncio.gather(*(self._ask_on() for _ in range(order.clients)))
        else:
            await self._at_rate(order.rate)
        self._account.cpu_s = time.process_time()
        return self._account

    async def _ask_on(self) -> None:
        order = self._order
        await _sleep_until(order.begin_s)
        while (now_s := time.monotonic()) < order.begin_s + order.seconds:
            await self._exchange(now_s)

    async def _at_rate(self, rate: float) -> None:
        order, tasks = self._order, set()
        for number in range(round(rate * order.seconds)):
            meant_s = order.begin_s + number / rate
            await _sleep_until(meant_s)
            self._account.late_s = max(self._account.late_s, time.monotonic() - meant_s)
            task = asyncio.create_task(self._exchange(meant_s))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)

    async def _exchange(self, meant_s: float) -> None:
        sending = self._order.sendings[self._begun % len(self._order.sendings)]
        self._begun += 1
        if self._open >= self._order.most_open:
            self._note(meant_s, NOT_SENT, sending)
            return
        head, body = self._random.choice(self._requests)
        if sending == "expect":
            head = head.replace(_HEAD_END, b"\r\nExpect: 100-continue\r\n\r\n")
        loop = asyncio.get_running_loop()
        exchange = _Exchange(head, body, sending, loop.create_future())
        self._open += 1
        try:
            async with asyncio.timeout_at(loop.time() + self._order.patience_s):
                await loop.create_connection(lambda: exchange, "127.0.0.1", self._order.port)
                await exchange.done
            self._note(meant_s, exchange.status, sending, exchange.has_retry_after)
        except TimeoutError:
            self._note(meant_s, NO_PATIENCE, sending)
        except OSError:
            self._note(meant_s, NO_ANSWER, sending)
        finally:
            self._open -= 1
            if exchange.transport:
                exchange.transport.abort()

    def _note(self, meant_s: float, status: int, sending: Sending, told: bool = False) -> None:
        account = self._account
        account.at_s.append(meant_s - self._order.begin_s)
        account.latency_s.append(time.monotonic() - meant_s)
        account.status.append(status)
        account.sending.append(sending)
        account.has_retry_after.append(told)


def _prepared(order: Order) -> Iterator[tuple[bytes, bytes]]:
    """Yields heads and bodies."""
    for path in sorted(Path(order.bodies).iterdir()):
        body = path.read_bytes()
        yield (
            b"POST /localize?min_score=0.2 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            b"Content-Type: application/octet-stream\r\nX-Dtype: float16\r\nX-Shape: %s\r\n"
            b"Content-Length: %d\r\n\r\n" % (path.name.encode(), len(body)),
            body,
        )


async def _sleep_until(moment_s: float) -> None:
    if (left_s := moment_s - time.monotonic()) > 0:
        await asyncio.sleep(left_s)


def main() -> None:
    """Carries out an order."""
    order = Order(**json.load(sys.stdin))
    account = uvloop.run(_Generator(order).run())
    json.dump(asdict(account), sys.stdout)


if __name__ == "__main__":
    main()

"""Sends requests at fixed times, whatever the responses, from a process of its own.

`python -m reliability.load.generator` reads an `Order` as JSON and writes an `Account` as JSON. The
latency of a request counts from its scheduled time. A slow server or a late generator therefore
cannot hide latency (no coordinated omission).
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
"""`expect` sends the body after 100 Continue; `at-once` sends headers and body together."""

_CONTINUE, _HEAD_END = b"HTTP/1.1 100", b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Order:
    """Requests to send."""

    port: int
    """Port of the server on the loopback."""
    bodies: str
    """Folder with one file for each body; its name is the shape, such as 750,2048."""
    begin_s: float
    """Monotonic time of the first request."""
    seconds: float
    """Time for which requests are sent."""
    rate: float | None
    """Requests per second; None for `clients` that each wait for their response."""
    clients: int
    """Number of clients if there is no rate."""
    sendings: tuple[Sending, ...]
    """Ways to send bodies, used in turn."""
    patience_s: float
    """Time after which a client disconnects."""
    most_open: int
    """Most open connections; a request that would need another one is not sent."""
    seed: int
    """Seed of the order of bodies."""


@dataclass(slots=True)
class Account:
    """Results of the requests; entry n of each list belongs to request n."""

    at_s: list[float] = field(default_factory=list)
    """Scheduled time of each request, from the start."""
    latency_s: list[float] = field(default_factory=list)
    """Time from then to the last byte of the response, or to the end without a response."""
    status: list[int] = field(default_factory=list)
    """Status of the response, or one of the codes below."""
    sending: list[Sending] = field(default_factory=list)
    """Way in which the body was sent."""
    has_retry_after: list[bool] = field(default_factory=list)
    """Whether the response has the header Retry-After."""
    late_s: float = 0.0
    """Longest delay between a scheduled time and the start, caused by the generator."""
    cpu_s: float = 0.0
    """CPU time of the generator."""


NO_RESPONSE, NO_PATIENCE, NOT_SENT = 0, -1, -2
"""Codes: the connection ended early; the client disconnected; too many connections were open."""


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
        self.status = NO_RESPONSE
        self.has_retry_after = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the request."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport is no subclass
        self.transport.write(self._head)
        if self._sending == "at-once":
            self.transport.write(self._body)

    def data_received(self, data: bytes) -> None:
        """Parses the status, and sends the body after 100 Continue."""
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
            self.transport.abort()  # the rest of the body need not be sent

    def connection_lost(self, _: Exception | None) -> None:
        """Completes the exchange."""
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
        """Sends all requests and returns the results."""
        order = self._order
        if order.rate is None:
            await asyncio.gather(*(self._send_in_turn() for _ in range(order.clients)))
        else:
            await self._at_rate(order.rate)
        self._account.cpu_s = time.process_time()
        return self._account

    async def _send_in_turn(self) -> None:
        order = self._order
        await _sleep_until(order.begin_s)
        while (now_s := time.monotonic()) < order.begin_s + order.seconds:
            await self._exchange(now_s)

    async def _at_rate(self, rate: float) -> None:
        order, tasks = self._order, set()
        for number in range(round(rate * order.seconds)):
            due_s = order.begin_s + number / rate
            await _sleep_until(due_s)
            self._account.late_s = max(self._account.late_s, time.monotonic() - due_s)
            task = asyncio.create_task(self._exchange(due_s))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)

    async def _exchange(self, due_s: float) -> None:
        sending = self._order.sendings[self._begun % len(self._order.sendings)]
        self._begun += 1
        if self._open >= self._order.most_open:
            self._note(due_s, NOT_SENT, sending)
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
            self._note(due_s, exchange.status, sending, exchange.has_retry_after)
        except TimeoutError:
            self._note(due_s, NO_PATIENCE, sending)
        except OSError:
            self._note(due_s, NO_RESPONSE, sending)
        finally:
            self._open -= 1
            if exchange.transport:
                exchange.transport.abort()

    def _note(self, due_s: float, status: int, sending: Sending, retry: bool = False) -> None:
        account = self._account
        account.at_s.append(due_s - self._order.begin_s)
        account.latency_s.append(time.monotonic() - due_s)
        account.status.append(status)
        account.sending.append(sending)
        account.has_retry_after.append(retry)


def _prepared(order: Order) -> Iterator[tuple[bytes, bytes]]:
    """Yields the headers and the body of each request."""
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
    """Reads an order, sends its requests, and writes the account."""
    order = Order(**json.load(sys.stdin))
    account = uvloop.run(_Generator(order).run())
    json.dump(asdict(account), sys.stdout)


if __name__ == "__main__":
    main()

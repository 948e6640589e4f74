"""A body taken into memory as a whole, straight from the socket where the server can do that."""

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from starlette.requests import Request

from service.http.admission import Ticket
from service.http.buffers import ALIGNMENT
from service.http.connection import BODY, BodyReceiver
from service.http.request_record import RequestRecord

Body: TypeAlias = bytes | memoryview
_MOST_DIGITS = len(str(2**64))


@dataclass(frozen=True, slots=True)
class BodyTimes:
    """How long a body may take to arrive."""

    longest_s: float
    """All of it."""
    stall_s: float
    """Its next bytes."""


def whole_number(text: str) -> int | None:
    """Returns the number that a header holds, if it is one that a machine can count to."""
    digits = text.lstrip("0") if text.strip("0") else text[-1:]
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    return int(digits) if is_number else None


async def receive_whole(request: Request, times: BodyTimes, *, head_bytes: int = 0) -> Body:
    """Returns a request's body, which is to be used no longer than the request lasts.

    Args:
        request: the request.
        times: how long it may take.
        head_bytes: what of the body stands before its numbers, which are to lie aligned.

    Raises:
        BodyTooSlowError, BodyTooLargeError, ClientDisconnect: it did not arrive.
    """
    ticket: Ticket = request.state.ticket
    record: RequestRecord = request.state.record
    receiver: BodyReceiver | None = request.scope.get("extensions", {}).get(BODY)
    length = whole_number(request.headers.get("content-length", ""))
    async with ticket.receiving(times.longest_s):
        if receiver is None or length is None or "transfer-encoding" in request.headers:
            return await request.body()
        skipped = -head_bytes % ALIGNMENT
        buffer = ticket.lend(skipped + length)[skipped:]
        await receiver(buffer, times.stall_s, partial(record.receive, more=True))
    record.receive(0, more=False)
    return buffer

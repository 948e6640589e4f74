"""Receives a request body into memory, directly from the socket where the server can do so."""

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from starlette.requests import Request

from service.http.admission import Ticket
from service.http.buffers import ALIGNMENT
from service.http.connection import BODY, BodyReceiver
from service.http.request_record import RequestRecord

Body: TypeAlias = bytes | memoryview
_MAX_DIGITS = len(str(2**64))


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Limits on request bodies."""

    max_bytes: int
    """Longest body that is held in memory."""
    max_video_bytes: int
    """Longest body that is written to the disk."""
    longest_s: float
    """Time in which a body that is held in memory must arrive."""
    stall_s: float
    """Longest wait for the next bytes of any body."""


def whole_number(text: str) -> int | None:
    """Returns the non-negative integer in a header, or None if it is none or has over 20 digits."""
    digits = text.lstrip("0") if text.strip("0") else text[-1:]
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
    return int(digits) if is_number else None


async def receive_whole(request: Request, *, head_bytes: int = 0) -> Body:
    """Returns a request's body, valid until the response is complete.

    Args:
        request: a request that `Gate` admitted.
        head_bytes: bytes of the body before its numbers; the numbers are aligned in memory.

    Raises:
        BodyTooSlowError, BodyTooLargeError, ClientDisconnect: the body did not arrive.
    """
    limits: BodyLimits = request.state.body_limits
    ticket: Ticket = request.state.ticket
    record: RequestRecord = request.state.record
    receiver: BodyReceiver | None = request.scope.get("extensions", {}).get(BODY)
    length = whole_number(request.headers.get("content-length", ""))
    async with ticket.receiving(limits.longest_s):
        if receiver is None or length is None or "transfer-encoding" in request.headers:
            return await request.body()
        padding = -head_bytes % ALIGNMENT
        buffer = ticket.lend(padding + length)[padding:]
        await receiver(buffer, limits.stall_s, partial(record.receive, more=True))
    record.receive(0, more=False)
    return buffer

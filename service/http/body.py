"""Receives a request body into memory, directly from the socket where the server can do so."""

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from starlette.datastructures import Headers
from starlette.requests import Request

from service.errors import BodyTooLargeError
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
    min_bytes_per_s: float
    """Lowest mean rate of a body that is taken in parts, after `stall_s`."""


def whole_number(text: str) -> int | None:
    """Returns the non-negative integer in a header, or None if it is none or has over 20 digits."""
    digits = text.lstrip("0") if text.strip("0") else text[-1:]
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
    return int(digits) if is_number else None


def declared_bytes(headers: Headers) -> int | None:
    """Returns the declared length of a body; None for a chunked body."""
    if "transfer-encoding" in headers:
        return None
    return whole_number(headers.get("content-length", "0"))


def too_large(received: int, limit: int) -> str:
    """Returns the message about a body that is too long."""
    return (
        f"the body has {received} bytes or more, the limit is {limit}; send features as float16 or "
        "in a binary form instead of JSON, a video with fewer pixels, or either in parts"
    )


async def receive_whole(
    request: Request, *, head_bytes: int = 0, max_bytes: int | None = None
) -> Body:
    """Returns a request's body, valid until the response is complete.

    Args:
        request: a request that `Gate` admitted.
        head_bytes: bytes of the body before its numbers; the numbers are aligned in memory.
        max_bytes: longest body of this route, if it is below the limit of all bodies.

    Raises:
        OverloadedError: there is no memory for the body; nothing was read.
        BodyTooSlowError, BodyTooLargeError, ClientDisconnect: the body did not arrive.
    """
    limits: BodyLimits = request.state.body_limits
    ticket: Ticket = request.state.ticket
    record: RequestRecord = request.state.record
    receiver: BodyReceiver | None = request.scope.get("extensions", {}).get(BODY)
    longest = limits.max_bytes if max_bytes is None else max_bytes
    length = declared_bytes(request.headers)
    if length is not None and length > longest:
        raise BodyTooLargeError(too_large(length, longest))
    ticket.reserve(longest if length is None else length)
    async with ticket.receiving(limits.longest_s):
        if receiver is None or length is None:
            return await _joined_parts(request, longest)
        padding = -head_bytes % ALIGNMENT
        buffer = ticket.lend(padding + length)[padding:]
        await receiver(buffer, limits.stall_s, partial(record.receive, more=True))
    record.receive(0, more=False)
    return buffer


async def _joined_parts(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise BodyTooLargeError(too_large(len(body), max_bytes))
    return bytes(body)

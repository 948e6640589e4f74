"""What every request passes before its body is read: is it too long, and is there room for it."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import (
    BodyTooLargeError,
    BodyTooSlowError,
    ServiceError,
    error_response,
    is_inference_protocol,
    problem_of,
)
from service.http.admission import Admission, Ticket
from service.http.body import whole_number

_COMPUTED = re.compile(r"/localize|/v2/models/.+/infer", re.DOTALL)
"""Paths for which the network runs."""


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What a body may be."""

    max_bytes: int
    """Longest one that is taken into memory."""
    max_video_bytes: int
    """Longest one that goes to the disk."""
    stall_s: float
    """Longest wait for its next part."""


class Gate:
    """ASGI middleware; refuses what is too long, and what comes when there is too much to do."""

    def __init__(
        self,
        app: ASGIApp,
        admission: Admission,
        bounds: BodyBounds,
        serves_videos: Callable[[], bool],
    ) -> None:
        self._app = app
        self._admission = admission
        self._bounds = bounds
        self._serves_videos = serves_videos

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        longest = self._longest(scope)
        try:
            ticket = self._ticket(scope, longest)
        except ServiceError as error:
            answer = error_response(scope["path"], problem_of(error), error.headers)
            await answer(scope, receive, send)
            return
        scope["state"]["ticket"] = ticket
        try:
            await self._app(scope, self._bounded(receive, longest), send)
        finally:
            ticket.give_back()

    def _ticket(self, scope: Scope, longest: int) -> Ticket:
        """Lets a request in.

        Raises:
            BodyTooLargeError: it says that its body is too long.
            OverloadedError: the service is too busy.
        """
        headers = Headers(scope=scope)
        declared = _declared(headers)
        if declared is not None and declared > longest:
            raise BodyTooLargeError(_too_large(declared, longest))
        if longest > self._bounds.max_bytes:
            return Ticket(self._admission, 0, computed=False)
        room_bytes = longest if declared is None else declared
        computed = scope["method"] == "POST" and bool(_COMPUTED.fullmatch(scope["path"]))
        return Ticket(self._admission, room_bytes, computed=computed)

    def _longest(self, scope: Scope) -> int:
        """Returns how long a request's body may be: videos, and forms with them, go to the disk."""
        media_type = Headers(scope=scope).get("content-type", "").lower()
        serves_videos = self._serves_videos() and not is_inference_protocol(scope["path"])
        is_video = serves_videos and media_type.startswith(("video/", "multipart/"))
        return self._bounds.max_video_bytes if is_video else self._bounds.max_bytes

    def _bounded(self, receive: Receive, longest: int) -> Receive:
        """Returns what receives a body's parts, as far as it is neither too long nor too slow."""
        received, more = 0, True

        async def bounded() -> Message:
            nonlocal received, more
            if not more:  # the client's leaving is waited for, which may take its time
                return await receive()
            try:
                async with asyncio.timeout(self._bounds.stall_s):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlowError(
                    f"nothing more of the body came for {self._bounds.stall_s:g} s; send it again"
                ) from None
            more = message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > longest:
                raise BodyTooLargeError(_too_large(received, longest))
            return message

        return bounded


def _declared(headers: Headers) -> int | None:
    """Returns how long a request says that its body is; None where it does not."""
    if "transfer-encoding" in headers:
        return None
    return whole_number(headers.get("content-length", "0"))


def _too_large(got: int, limit: int) -> str:
    return (
        f"the body has {got} bytes or more, the limit is {limit}; send features as float16 or in a "
        "binary form instead of JSON, a video with fewer pixels, or either in parts"
    )

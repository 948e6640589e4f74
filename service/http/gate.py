"""The gate before the routes: refuses bodies that are too long and requests that find no room."""

import asyncio
import re
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLargeError, BodyTooSlowError, ServiceError
from service.http.admission import Admission, Ticket
from service.http.body import BodyLimits, declared_bytes, too_large
from service.http.error_responses import error_response, is_inference_protocol

_COMPUTED = re.compile(r"/localize|/v2/models/.+/infer", re.DOTALL)
"""Paths that run the network."""


class Gate:
    """ASGI middleware that admits or refuses each request before its body is read."""

    def __init__(
        self,
        app: ASGIApp,
        admission: Admission,
        limits: BodyLimits,
        serves_videos: Callable[[], bool],
    ) -> None:
        """Wraps an app.

        Args:
            app: the routes and the middleware inside this one.
            admission: counts the requests in flight.
            limits: limits on bodies.
            serves_videos: returns whether the service accepts videos at the moment.
        """
        self._app = app
        self._admission = admission
        self._limits = limits
        self._serves_videos = serves_videos

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards a request to the app or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._max_bytes(scope)
        try:
            ticket = self._admit(scope, max_bytes)
        except ServiceError as error:
            await error_response(scope["path"], error)(scope, receive, send)
            return
        scope["state"] |= {"ticket": ticket, "body_limits": self._limits}
        try:
            await self._app(scope, self._bounded(receive, max_bytes), send)
        finally:
            ticket.give_back()

    def _admit(self, scope: Scope, max_bytes: int) -> Ticket:
        """Returns the ticket of an admitted request.

        Raises:
            BodyTooLargeError: the body's declared length is above the limit.
            OverloadedError: the service is too busy.
        """
        declared = declared_bytes(Headers(scope=scope))
        if declared is not None and declared > max_bytes:
            raise BodyTooLargeError(too_large(declared, max_bytes))
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        computed = scope["method"] == "POST" and bool(_COMPUTED.fullmatch(path))
        computed &= max_bytes <= self._limits.max_bytes  # otherwise it may be a video
        return Ticket(self._admission, computed=computed)

    def _max_bytes(self, scope: Scope) -> int:
        """Returns the limit for a request's body; that of videos also holds for forms."""
        headers = Headers(scope=scope)
        media_type = headers.get("content-type", "").lower()
        is_video = media_type.startswith(("video/", "multipart/")) or is_unnamed(headers)
        is_video &= self._serves_videos() and not is_inference_protocol(scope["path"])
        return self._limits.max_video_bytes if is_video else self._limits.max_bytes

    def _bounded(self, receive: Receive, max_bytes: int) -> Receive:
        """Returns a `receive` that raises when the body is too long or too slow."""
        received, more = 0, True
        clock = asyncio.get_running_loop().time
        began_s: float | None = None

        async def bounded() -> Message:
            nonlocal received, more, began_s
            began_s = began_s or clock()
            if not more:  # the app waits for the client to disconnect, which has no time limit
                return await receive()
            try:
                async with asyncio.timeout(self._limits.stall_s):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlowError(
                    f"no more of the body arrived for {self._limits.stall_s:g} s; send it again"
                ) from None
            more = message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise BodyTooLargeError(too_large(received, max_bytes))
            if more:
                self._check_rate(received, clock() - began_s)
            return message

        return bounded

    def _check_rate(self, received_bytes: int, elapsed_s: float) -> None:
        """Checks the mean rate of a body, once it has had time for a pause.

        Raises:
            BodyTooSlowError: the rate is too low.
        """
        slowest = self._limits.min_bytes_per_s
        if elapsed_s > self._limits.stall_s and received_bytes < slowest * elapsed_s:
            raise BodyTooSlowError(
                f"only {received_bytes} bytes arrived in {elapsed_s:.0f} s, the limit is "
                f"{slowest:g} bytes a second; send the body again"
            )


def is_unnamed(headers: Headers) -> bool:
    """Returns whether a body is bytes that may be a video, because features would have a shape."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/octet-stream" and "x-shape" not in headers

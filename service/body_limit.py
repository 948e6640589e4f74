"""Refuses long request bodies: by their declared length before reading, else while reading."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLargeError, problem


class BodyLimit:
    """ASGI middleware; answers 413 to a body longer than the limit."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            error = BodyTooLargeError(self._message(int(declared)))
            answer = problem(error.status, error.code, str(error), error.headers)
            await answer(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise BodyTooLargeError(self._message(received))
            return message

        await self._app(scope, counted, send)

    def _message(self, got: int) -> str:
        return (
            f"the body has {got} bytes or more, the limit is {self._max_bytes}; send float16, "
            "a binary form instead of JSON, or the video in parts"
        )

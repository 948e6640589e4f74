"""Refuses long request bodies: by their declared length before reading, else while reading."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLargeError, error_response, is_inference_protocol, problem_of


class BodyLimit:
    """ASGI middleware; answers 413 to a body longer than the limit, which is another for videos."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_video_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_video_bytes = max_video_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").lower()
        serves_videos = scope["app"].state.service.videos is not None
        serves_videos &= not is_inference_protocol(scope["path"])
        is_video = serves_videos and media_type.startswith((b"video/", b"multipart/"))
        limit = self._max_video_bytes if is_video else self._max_bytes
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            error = BodyTooLargeError(_message(int(declared), limit))
            answer = error_response(scope["path"], problem_of(error), error.headers)
            await answer(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise BodyTooLargeError(_message(received, limit))
            return message

        await self._app(scope, counted, send)


def _message(got: int, limit: int) -> str:
    return (
        f"the body has {got} bytes or more, the limit is {limit}; send features as float16 or in a "
        "binary form instead of JSON, a video with fewer pixels, or either in parts"
    )

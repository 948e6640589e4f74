"""HEAD for the paths that monitors and load balancers ask: the headers of GET without its body."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_PATHS = re.compile(
    r"/|/docs(/.+)?|/health(/live|/ready)?|/models(/.+)?|/metrics|/page/.+|/v2(/health/.+|/models/.+)?"
)


class HeadRequests:
    """ASGI middleware that handles HEAD as GET. The server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards a request."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if is_head and _PATHS.fullmatch(scope["path"]):
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

"""The path below which a proxy serves the service."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class PathPrefix:
    """ASGI middleware for a service behind a proxy, which may strip the prefix or not.

    Everything inside sees the path without the prefix, so no check of a path can be evaded by it.
    Links that leave the service, such as Location, begin with the prefix.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """Wraps an app.

        Args:
            app: the application.
            prefix: path such as /ecm, without a slash at its end.
        """
        self._app = app
        self._prefix = prefix
        self._raw = prefix.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards a request with its path below the prefix."""
        if scope["type"] == "http":
            if scope["path"] == self._prefix and scope["method"] in ("GET", "HEAD"):
                # The links of the page start below the slash. The target names no host.
                await RedirectResponse(f"{self._prefix}/", 308)(scope, receive, send)
                return
            scope["root_path"] = self._prefix
            # Repeatedly, because Starlette would remove a second prefix after the check of keys.
            while scope["path"] == self._prefix or scope["path"].startswith(f"{self._prefix}/"):
                scope["path"] = scope["path"].removeprefix(self._prefix) or "/"
                scope["raw_path"] = scope["raw_path"].removeprefix(self._raw) or b"/"
        await self._app(scope, receive, send)

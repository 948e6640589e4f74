"""API-key scopes of the paths: the middleware that checks them, and their OpenAPI description."""

import re
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import NoValidKeyError, ScopeMissingError, ServiceError
from service.http import api_keys
from service.http.api_keys import ApiKey, find_key
from service.http.error_responses import error_response, is_inference_protocol
from service.http.tickets import Tickets

DOCS_FILES = frozenset(
    {"swagger-ui.css", "swagger-ui-bundle.js", "docs.css", "docs.js", "tokens.css", "icon.svg"}
)
"""Files that /docs loads from below its own path."""
OPEN = frozenset({"/docs", *(f"/docs/{name}" for name in DOCS_FILES), "/openapi.json",
                  "/health", "/health/live", "/health/ready",
                  "/v2/health/live", "/v2/health/ready"})  # fmt: skip
"""Paths that need no key, because probes have none and the API description is public."""
_PAGE = re.compile(r"/|/page/(?!capabilities$).+", re.DOTALL)
"""The page and its files, which are public as well."""
_ADMIN = re.compile(
    r"/models/.+/(load|unload)|/v2/(repository/models/.+/(load|unload)|logging"
    r"|(models/.+/)?trace/setting|(system|cuda)sharedmemory/.+)",
    re.DOTALL,
)
"""Paths that change the service."""
_BEARER = "bearer "
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def needed_scope(path: str) -> api_keys.Scope | None:
    """Returns the scope that a path requires; None for an open path."""
    if path in OPEN or _PAGE.fullmatch(path):
        return None
    return "admin" if _ADMIN.fullmatch(path) else "infer"


class KeyCheck:
    """ASGI middleware that refuses a request without the right key before its body is read."""

    def __init__(
        self, app: ASGIApp, keys: tuple[ApiKey, ...], tickets: Callable[[], Tickets | None]
    ) -> None:
        """Wraps an app.

        Args:
            app: the routes and the middleware inside this one.
            keys: valid keys.
            tickets: returns what checks the tickets for media; None while videos are not served.
        """
        self._app = app
        self._keys = keys
        self._tickets = tickets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards a request to the app or refuses it."""
        if scope["type"] == "http":
            try:
                tickets = self._tickets()
                if not (tickets and tickets.admit(scope)):
                    self._check(scope["path"], Headers(scope=scope))
            except ServiceError as error:
                await error_response(scope["path"], error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, path: str, headers: Headers) -> None:
        scope = needed_scope(path)
        if scope is None:
            return
        presented = _presented_keys(headers)
        key = find_key(self._keys, presented[0].encode("latin-1")) if len(presented) == 1 else None
        if key is None:
            raise NoValidKeyError(
                "expected one valid API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
            )
        if scope not in key.scopes:
            raise ScopeMissingError(f"expected an API key with the scope {scope!r}")


def _presented_keys(headers: Headers) -> list[str]:
    """Returns every key in a request; Authorization schemes other than Bearer are ignored."""
    bearers = [
        value[len(_BEARER) :].strip()
        for value in headers.getlist("authorization")
        if value.lower().startswith(_BEARER)
    ]
    return bearers + headers.getlist("x-api-key")


def describe_access(description: dict[str, Any]) -> None:
    """Adds the security schemes and the 401 and 403 responses to an OpenAPI description."""
    description["components"]["securitySchemes"] = _SCHEMES
    for path, operations in description["paths"].items():
        if scope := needed_scope(path):
            for operation in operations.values():
                operation["security"] = [{scheme: [scope]} for scheme in _SCHEMES]
                if not is_inference_protocol(path):
                    operation["responses"] |= {"401": _refusal("Unauthorized"),
                                               "403": _refusal("Forbidden")}  # fmt: skip


def _refusal(title: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {"application/problem+json": {"schema": schema}}}

"""Which path needs which key, as the service enforces it and as its description says it."""

import re
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import (
    NoValidKeyError,
    ScopeMissingError,
    ServiceError,
    error_response,
    is_inference_protocol,
    problem_of,
)
from service.http import api_keys
from service.http.api_keys import ApiKey, find_key

OPEN = frozenset({"/docs", "/openapi.json", "/health", "/health/live", "/health/ready",
                  "/v2/health/live", "/v2/health/ready"})  # fmt: skip
"""Paths that need no key: probes have none, and the description is the same everywhere."""
_ADMIN = re.compile(
    r"/models/.+/(load|unload)|/v2/(repository/models/.+/(load|unload)|logging"
    r"|(models/.+/)?trace/setting|(system|cuda)sharedmemory/.+)",
    re.DOTALL,
)
"""What changes the service."""
_BEARER = "bearer "
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def needed_scope(path: str) -> api_keys.Scope | None:
    """Returns what a key has to allow for a path; None where no key is needed."""
    if path in OPEN:
        return None
    return "admin" if _ADMIN.fullmatch(path) else "infer"


class KeyCheck:
    """ASGI middleware; refuses a request without the right key before its body is read."""

    def __init__(self, app: ASGIApp, keys: tuple[ApiKey, ...]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] == "http":
            try:
                self._check(scope["path"], Headers(scope=scope))
            except ServiceError as error:
                answer = error_response(scope["path"], problem_of(error), error.headers)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, path: str, headers: Headers) -> None:
        needed = needed_scope(path)
        if needed is None:
            return
        presented = _presented(headers)
        key = find_key(self._keys, presented[0].encode("latin-1")) if len(presented) == 1 else None
        if key is None:
            raise NoValidKeyError(
                "expected one valid API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
            )
        if needed not in key.scopes:
            raise ScopeMissingError(f"this needs a key with the scope {needed!r}")


def _presented(headers: Headers) -> list[str]:
    """Returns every key of a request; other schemes of Authorization are somebody else's."""
    bearers = [
        value[len(_BEARER) :].strip()
        for value in headers.getlist("authorization")
        if value.lower().startswith(_BEARER)
    ]
    return bearers + headers.getlist("x-api-key")


def describe_access(description: dict[str, Any]) -> None:
    """Adds to an OpenAPI description which call needs a key, where the service has keys."""
    description["components"]["securitySchemes"] = _SCHEMES
    for path, calls in description["paths"].items():
        if scope := needed_scope(path):
            for call in calls.values():
                call["security"] = [{scheme: [scope]} for scheme in _SCHEMES]
                if not is_inference_protocol(path):
                    call["responses"] |= {"401": _refusal("Unauthorized"),
                                          "403": _refusal("Forbidden")}  # fmt: skip


def _refusal(title: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {"application/problem+json": {"schema": schema}}}

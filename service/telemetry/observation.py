"""Follows each request from its first byte to its last, and tells of it when it is over."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import CLIENT_GONE, error_response, problem_of
from service.http.request_record import OTHER, REQUEST_ID, RequestRecord, begin_record
from service.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

_PROBES = ("/health", "/metrics")


class Spans(Protocol):
    """Takes requests as spans of a distributed trace."""

    def write(self, record: RequestRecord, elapsed_s: float) -> str:
        """Takes a request that is over and returns the id of its trace."""

    def close(self) -> None:
        """Sends what is left."""


class Observation:
    """ASGI middleware, outside all others; parts of bodies pass through it one by one."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        routes: Sequence[BaseRoute],
        spans: Spans | None = None,
    ) -> None:
        """Wraps an app.

        Args:
            app: what answers.
            metrics: counts.
            routes: of the app; a request that is refused before it gets to one is told by them.
            spans: takes each request too, if given.
        """
        self._app = app
        self._metrics = metrics
        self._routes = routes
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = begin_record(scope)
        scope.setdefault("state", {})["record"] = record

        async def received() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                record.receive(len(message.get("body", b"")), more=message.get("more_body", False))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                id_header = (REQUEST_ID.lower().encode(), record.id.encode())
                message = {**message, "headers": [*message["headers"], id_header]}
            await send(message)

        try:
            await self._app(scope, received, sent)
        except Exception as error:
            if record.status:
                raise
            # Answered here, since further out nobody knows the request's id.
            answer = error_response(scope["path"], problem_of(error))
            await answer(scope, received, sent)
        finally:
            self._tell(scope, record)

    def _tell(self, scope: Scope, record: RequestRecord) -> None:
        elapsed_s = perf_counter() - record.began_s
        record.path = self._template(scope)
        record.status = record.status or CLIENT_GONE
        self._metrics.answered(record, elapsed_s)
        if self._spans:
            record.trace_id = self._spans.write(record, elapsed_s)
        level = logging.DEBUG if record.path.startswith(_PROBES) else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(level, "request", extra={"fields": record.fields(elapsed_s)})

    def _template(self, scope: Scope) -> str:
        """Returns the template of the route that a request took, or would have taken."""
        matching = (route for route in self._routes if route.matches(scope)[0] is not Match.NONE)
        route = scope.get("route") or next(matching, None)
        return getattr(route, "path", OTHER)

"""Observes each request; at its end, counts it, logs it and writes its span."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.error_responses import CLIENT_GONE, error_response
from service.http.request_record import OTHER, REQUEST_ID, RequestRecord, begin_record
from service.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

_PROBES = ("/health", "/metrics")


class Spans(Protocol):
    """Exports requests as spans of a distributed trace."""

    def write(self, record: RequestRecord, elapsed_s: float) -> str:
        """Exports a completed request and returns the id of its trace."""

    def close(self) -> None:
        """Sends the remaining spans."""


class Observation:
    """ASGI middleware outside all others except the headers; streams bodies unchanged."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        routes: Sequence[BaseRoute],
        spans: Spans | None = None,
    ) -> None:
        """Wraps an app.

        Args:
            app: the routes and the middleware inside this one.
            metrics: counts the requests.
            routes: routes of the app; they give a path to a request that is refused before routing.
            spans: exports the requests; None for no export.
        """
        self._app = app
        self._metrics = metrics
        self._routes = routes
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards a request and observes it."""
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
            # Responds here, because the middleware outside does not know the request's id.
            await error_response(scope["path"], error)(scope, received, sent)
        finally:
            self._finish(scope, record)

    def _finish(self, scope: Scope, record: RequestRecord) -> None:
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
        """Returns the path template of the route that a request took or would have taken."""
        matching = (route for route in self._routes if route.matches(scope)[0] is not Match.NONE)
        route = scope.get("route") or next(matching, None)
        return getattr(route, "path", OTHER)

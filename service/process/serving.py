"""Entry point of `ecm serve`: one process, or several that share the port."""

import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import start_http_server

from model.errors import OptionError
from service.app import create_app, running
from service.process.ending import status_of
from service.process.heaps import share_heaps, tended_heaps
from service.process.listening import bind, metrics_host, urls
from service.process.server import Server
from service.process.supervisor import Supervisor
from service.routes import json_features
from service.settings import Settings
from service.state import ServiceState
from service.telemetry.log_format import log_to_stderr

if TYPE_CHECKING:
    from service.telemetry.observation import Spans

_log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serves until a signal ends the process.

    Raises:
        LocalizerError, ServiceError, OSError: the service cannot start with these settings.
    """
    if settings.repository.exists() and not settings.repository.is_dir():
        raise OptionError(
            f"the repository {settings.repository} is a file; set repository (--repository or "
            "ECM_REPOSITORY) to the folder with NAME/VERSION/model.onnx"
        )
    sockets = bind(settings)
    _warn_if_open(settings)
    if settings.processes == 1:
        _serve_here(settings, sockets, partial(_log_urls, sockets))
    else:
        Supervisor(settings.processes, partial(_serve_beside, settings), sockets).run(
            partial(_log_urls, sockets)
        )


def _serve_here(
    settings: Settings,
    sockets: list[socket.socket],
    on_started: Callable[[], None],
    metrics_port: int | None = None,
) -> None:
    """Serves in the current process."""
    share_heaps()
    app = create_app(settings, spans=open_spans())
    service: ServiceState = app.state.service
    rest = partial(service.admission.buffers.rest, settings.max_body_bytes)
    with running(service), tended_heaps(json_features.give_back, rest):
        if metrics_port is not None:
            start_http_server(metrics_port, metrics_host(settings.host), service.metrics.registry)
        Server(app, service, on_started).run(sockets)


def _serve_beside(
    settings: Settings, number: int, sockets: list[socket.socket], on_started: Callable[[], None]
) -> int:
    """Serves in process `number`, from 0, of several, and returns its exit status."""
    log_to_stderr(settings.log_level, settings.log_format)
    metrics_port = None if settings.metrics_port is None else settings.metrics_port + number
    return status_of(partial(_serve_here, settings, sockets, on_started, metrics_port))


def open_spans() -> "Spans | None":
    """Returns the exporter of OpenTelemetry spans, or None if no endpoint is set."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    try:
        from service.telemetry.spans import OtelSpans
    except ModuleNotFoundError as error:
        _log.warning(
            "spans are not exported: %s; run pip install -c constraints.txt '.[otel]'", error
        )
        return None
    return OtelSpans()


def _log_urls(sockets: list[socket.socket]) -> None:
    _log.info("listening on %s", urls(sockets))


def _warn_if_open(settings: Settings) -> None:
    if not (settings.api_keys or settings.api_keys_file or _is_loopback(settings.host)):
        _log.warning(
            "the service listens on %s without API keys, so everyone who can reach it can use it; "
            "docs/reference/service.md explains how to set keys",
            settings.host,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""FastAPI application: its state, middleware and routes."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from model.inference.cores import cores
from model.inference.engine import EngineConfig
from service.http.access import KeyCheck, describe_access
from service.http.admission import Admission, Bounds
from service.http.api_keys import read_keys
from service.http.body import BodyLimits
from service.http.buffers import Buffers
from service.http.error_responses import add_handlers
from service.http.gate import Gate
from service.http.head_requests import HeadRequests
from service.http.path_prefix import PathPrefix
from service.http.security_headers import SecurityHeaders
from service.http.tickets import Tickets
from service.inference_protocol import routes as inference_protocol
from service.inference_protocol.wire import HEADER_LENGTH
from service.localize.activations import Activations
from service.localize.slots import Slots
from service.models.batching import BatchConfig
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper, kept
from service.models.served_engine import DEFAULT_BATCHES, ServingConfig
from service.page import activations, api_pages, corrections, export, media, server_files
from service.page import routes as page
from service.page.activations import FIRST_SNIPPET_S, SNIPPET_S
from service.routes import health, jobs, localize, metrics, models
from service.settings import Settings
from service.state import ServiceState
from service.telemetry.metrics import Metrics
from service.telemetry.observation import Observation, Spans

_log = logging.getLogger(__name__)

_ROUTERS = (
    localize.router,
    jobs.router,
    health.router,
    models.router,
    inference_protocol.router,
    metrics.router,
    page.router,
    api_pages.router,
    activations.router,
    media.router,
    export.router,
    corrections.router,
    server_files.router,
)

_EXPOSED = ("ETag", "Location", "Retry-After", "X-Request-ID", SNIPPET_S, FIRST_SNIPPET_S,
            HEADER_LENGTH)  # fmt: skip
"""Response headers that pages of allowed origins may read."""


class LocalizerApp(FastAPI):
    """FastAPI application that adds CORS and security headers to all responses, errors included."""

    def build_middleware_stack(self) -> ASGIApp:
        """Returns the application wrapped in its middleware."""
        stack = super().build_middleware_stack()
        service: ServiceState = self.state.service
        if origins := service.settings.cors_origins:
            stack = CORSMiddleware(
                stack,
                allow_origins=origins,
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=["*"],
                expose_headers=_EXPOSED,
            )
        stack = SecurityHeaders(stack)
        prefix = service.settings.root_path
        return PathPrefix(stack, prefix) if prefix else stack

    def openapi(self) -> dict[str, Any]:
        """Returns the OpenAPI description, which marks the calls that need an API key."""
        description = super().openapi()
        describe_access(description)
        return description


def create_app(
    settings: Settings, catalog: Catalog | None = None, spans: Spans | None = None
) -> FastAPI:
    """Returns the application.

    Args:
        settings: settings in force.
        catalog: models to serve; loaded from the settings' repository if None.
        spans: exports each request as a trace span, if given.

    Raises:
        DeviceError: CUDA is required but not available.
        OptionError: the API keys cannot be read.
    """
    keys = read_keys(settings.api_keys, settings.api_keys_file)
    service = _open_state(settings, catalog, spans)
    app = LocalizerApp(
        title="ECM Localizer",
        version=software_version(),
        summary="Finds when actions happen in untrimmed videos.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to the host that the request names
        servers=[{"url": settings.root_path or "/", "description": "This service."}],
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    app.add_middleware(HeadRequests)  # requests pass the middleware added last first
    app.add_middleware(
        Gate,
        admission=service.admission,
        limits=_body_limits(settings),
        serves_videos=lambda: service.videos is not None,
    )
    if keys:
        app.add_middleware(KeyCheck, keys=keys, tickets=lambda: _tickets(service))
    for router in _ROUTERS:
        app.include_router(router)
    routes = [route for router in _ROUTERS for route in router.routes]
    app.add_middleware(Observation, metrics=service.metrics, routes=routes, spans=spans)
    add_handlers(app)
    return app


@contextmanager
def running(service: ServiceState) -> Iterator[None]:
    """Watches the model repository and serves videos; sends the last spans at the end.

    Raises:
        OptionError: the data folder cannot be used.
        JobsUnavailableError: the job database cannot be reached.
    """
    try:
        with kept(service.keeper, service.settings.reload_s), _videos_served(service):
            yield
    finally:
        if service.spans:
            service.spans.close()


def open_models(settings: Settings, catalog: Catalog, metrics: Metrics) -> ModelKeeper:
    """Returns a keeper that has loaded the repository's models into a catalog.

    Raises:
        DeviceError: CUDA is required but not available.
    """
    engine = EngineConfig(
        settings.device, settings.require_cuda, settings.threads, settings.instances, settings.tf32
    )
    batch = None  # by the device
    if settings.max_batch:
        delay_s = 1e-3 * settings.batch_delay_ms
        batch = BatchConfig(settings.max_batch, delay_s, settings.batch_bucket_snippets)
    config = ServingConfig(
        engine, settings.warm_snippets, batch, metrics.batched, settings.precision
    )
    return ModelKeeper(catalog, settings.repository, config, settings.versions)


def software_version() -> str:
    """Returns the version of this software."""
    try:
        return version("ecm-localizer")
    except PackageNotFoundError:
        return "0+uninstalled"


def _open_state(settings: Settings, catalog: Catalog | None, spans: Spans | None) -> ServiceState:
    loads = catalog is None
    catalog = catalog or Catalog(default_model=settings.default_model)
    metrics = Metrics(catalog)
    keeper = open_models(settings, catalog, metrics) if loads else None
    admission = _open_admission(settings, catalog)
    slots = Slots(admission, settings.max_request_s)
    metrics.watch(admission, slots.limiter)
    kept = Activations(settings.data, settings.keep_activation_bytes, settings.keep_activation_s)
    return ServiceState(
        settings, catalog, keeper, admission, slots, metrics, kept, time.monotonic(), spans
    )


def _open_admission(settings: Settings, catalog: Catalog) -> Admission:
    bounds = Bounds(
        settings.concurrency or _concurrency(settings, catalog),
        settings.max_waiting,
        settings.max_wait_s,
        settings.max_memory_bytes,
        settings.max_uploads,
    )
    return Admission(bounds, Buffers(settings.max_memory_bytes))


def _body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(
        max_bytes=settings.max_body_bytes,
        max_video_bytes=settings.max_video_bytes,
        longest_s=settings.max_body_s,
        stall_s=settings.body_stall_s,
        min_bytes_per_s=settings.min_upload_bytes_per_s,
    )


def _concurrency(settings: Settings, catalog: Catalog) -> int:
    """Returns the number of requests that keep the processors busy: two batches, or all cores."""
    on_gpu = any(entry.engine and entry.engine.device == "cuda" for entry in catalog.entries)
    batch = settings.max_batch or DEFAULT_BATCHES["cuda" if on_gpu else "cpu"].max_videos
    return 2 * batch if batch > 1 else max(1, cores() // max(1, settings.threads))


def _tickets(service: ServiceState) -> Tickets | None:
    return service.videos.tickets if service.videos else None


@contextmanager
def _videos_served(service: ServiceState) -> Iterator[None]:
    """Serves videos if the packages for them are installed."""
    try:
        from service.jobs.intake import Videos
    except ModuleNotFoundError as error:
        _log.warning("videos are not served: %s; see docs/reference/service.md", error)
        yield
        return
    videos = Videos(service.settings, service.catalog, service.keeper, service.metrics)
    videos.start()
    service.videos = videos
    try:
        yield
    finally:
        service.videos = None
        videos.stop()

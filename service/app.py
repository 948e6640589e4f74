"""The FastAPI application."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from model.cores import cores
from model.engine import EngineConfig
from service.access import KeyCheck, describe_access
from service.admission import Admission, Bounds
from service.api_keys import read_keys
from service.batching import BatchConfig
from service.buffers import Buffers
from service.catalog import Catalog
from service.errors import add_handlers
from service.gate import BodyBounds, Gate
from service.inference_protocol import HEADER_LENGTH
from service.metrics import Metrics
from service.model_keeper import ModelKeeper, kept
from service.observation import Observation, Spans
from service.routes import health, inference_protocol, jobs, localize, metrics, models
from service.security_headers import SecurityHeaders
from service.served_engine import DEFAULT_BATCHES, ServingConfig
from service.settings import Settings
from service.slots import Slots

if TYPE_CHECKING:
    from service.videos import Videos

_log = logging.getLogger(__name__)


def software_version() -> str:
    """Returns the version of this software."""
    try:
        return version("ecm-localizer")
    except PackageNotFoundError:
        return "0+uninstalled"


@dataclass(slots=True)
class ServiceState:
    """What the routes work with."""

    settings: Settings
    """As the operator set them."""
    catalog: Catalog
    """The models."""
    keeper: ModelKeeper | None
    """Loads and unloads them; None where they were given."""
    admission: Admission
    """Lets requests in."""
    slots: Slots
    """Computes them."""
    metrics: Metrics
    """Counts what is done."""
    started_s: float
    """Monotonic time of the start."""
    spans: Spans | None = None
    """Takes each request as a span."""
    videos: "Videos | None" = None
    """Takes videos, while the service runs; None where it takes features only."""
    draining: bool = False
    """Whether the service was told to end and only answers what still comes."""


class LocalizerApp(FastAPI):
    """A FastAPI application whose errors, the unexpected ones too, pass through our headers."""

    def build_middleware_stack(self) -> ASGIApp:
        """Returns all that a request passes through, the outermost first."""
        stack = super().build_middleware_stack()
        if origins := self.state.service.settings.cors_origins:
            stack = CORSMiddleware(
                stack,
                allow_origins=origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["*"],
                expose_headers=["Location", "Retry-After", HEADER_LENGTH],
            )
        return SecurityHeaders(stack)

    def openapi(self) -> dict[str, Any]:
        """Returns the description, which tells what needs an API key."""
        description = super().openapi()
        describe_access(description)
        return description


@contextmanager
def running(service: ServiceState) -> Iterator[None]:
    """Has what the application needs while it runs, and sends the last spans at its end.

    Raises:
        OptionError: the data folder cannot be used.
        JobsUnavailableError: the database of the jobs cannot be reached.
    """
    try:
        with kept(service.keeper, service.settings.reload_s), _videos_served(service):
            yield
    finally:
        if service.spans:
            service.spans.close()


@contextmanager
def _videos_served(service: ServiceState) -> Iterator[None]:
    """Serves videos too, if the packages for that are there."""
    try:
        from service.videos import Videos
    except ModuleNotFoundError as error:
        _log.warning("videos are not served: %s; see docs/service.md", error)
        yield
        return
    videos = Videos(service.settings, service.catalog, service.metrics)
    videos.start()
    service.videos = videos
    try:
        yield
    finally:
        service.videos = None
        videos.stop()


def open_models(settings: Settings, catalog: Catalog, metrics: Metrics) -> ModelKeeper:
    """Returns what keeps a catalog as the settings' repository is, which it has read once.

    Raises:
        DeviceError: CUDA is required and not available.
    """
    engine = EngineConfig(
        settings.device, settings.require_cuda, settings.threads, settings.instances, settings.tf32
    )
    batch = BatchConfig(
        settings.max_batch, 1e-3 * settings.batch_delay_ms, settings.batch_bucket_snippets
    )
    config = ServingConfig(
        engine, settings.warm_snippets, batch if settings.max_batch else None, metrics.batched
    )
    return ModelKeeper(catalog, settings.repository, config, settings.versions)


def open_admission(settings: Settings, catalog: Catalog) -> Admission:
    """Returns what lets requests in, as the settings say."""
    bounds = Bounds(
        settings.concurrency or _concurrency(settings, catalog),
        settings.max_waiting,
        settings.max_wait_s,
        settings.max_memory_bytes,
    )
    return Admission(bounds, Buffers(settings.max_memory_bytes))


def _concurrency(settings: Settings, catalog: Catalog) -> int:
    """Returns how many requests keep the processors busy: two batches, or all cores."""
    on_gpu = any(entry.engine and entry.engine.device == "cuda" for entry in catalog.entries)
    batch = settings.max_batch or DEFAULT_BATCHES["cuda" if on_gpu else "cpu"].max_videos
    return 2 * batch if batch > 1 else max(1, cores() // max(1, settings.threads))


def create_app(
    settings: Settings, catalog: Catalog | None = None, spans: Spans | None = None
) -> FastAPI:
    """Returns the application.

    Args:
        settings: as the operator set them.
        catalog: the models; loaded from the settings' repository if not given.
        spans: takes each request as a span, if given.

    Raises:
        DeviceError: CUDA is required and not available.
        OptionError: the API keys cannot be read.
    """
    keys = read_keys(settings)
    loads = catalog is None
    catalog = catalog or Catalog(default_model=settings.default_model)
    counts = Metrics(catalog)
    keeper = open_models(settings, catalog, counts) if loads else None
    app = LocalizerApp(
        title="ECM Localizer",
        version=software_version(),
        summary="Finds when actions happen in untrimmed videos.",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    admission = open_admission(settings, catalog)
    slots = Slots(admission, settings.max_request_s)
    counts.watch(admission, slots.limiter)
    app.state.service = ServiceState(
        settings, catalog, keeper, admission, slots, counts, time.monotonic(), spans
    )
    bounds = BodyBounds(settings.max_body_bytes, settings.max_video_bytes, settings.body_stall_s)
    app.add_middleware(Gate, admission=admission, bounds=bounds)
    if keys:
        app.add_middleware(KeyCheck, keys=keys)  # the last added is the first passed
    routers = [
        part.router for part in (localize, jobs, health, models, inference_protocol, metrics)
    ]
    for router in routers:
        app.include_router(router)
    routes = [route for router in routers for route in router.routes]
    app.add_middleware(Observation, metrics=counts, routes=routes, spans=spans)
    add_handlers(app)
    return app

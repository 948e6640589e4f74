"""The FastAPI application."""

import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from anyio import CapacityLimiter
from fastapi import FastAPI

from model.engine import EngineConfig
from service.body_limit import BodyLimit
from service.catalog import Catalog, load_catalog
from service.errors import add_handlers
from service.routes import health, localize, models
from service.settings import Settings


def software_version() -> str:
    """Returns the version of this software."""
    try:
        return version("ecm-localizer")
    except PackageNotFoundError:
        return "0+uninstalled"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What the routes work with."""

    settings: Settings
    """As the operator set them."""
    catalog: Catalog
    """The models."""
    limiter: CapacityLimiter
    """Bounds how many requests are computed at the same time."""
    started_s: float
    """Monotonic time of the start."""


def create_app(settings: Settings, catalog: Catalog | None = None) -> FastAPI:
    """Returns the application.

    Args:
        settings: as the operator set them.
        catalog: the models; loaded from the settings' repository if not given.

    Raises:
        DeviceError: CUDA is required and not available.
    """
    if catalog is None:
        config = EngineConfig(settings.device, settings.require_cuda, settings.threads)
        catalog = load_catalog(settings.repository, config, settings.default_model)
    app = FastAPI(
        title="ECM Localizer",
        version=software_version(),
        summary="Finds when actions happen in untrimmed videos.",
    )
    app.state.service = ServiceState(
        settings, catalog, CapacityLimiter(settings.concurrency), time.monotonic()
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    for routes in (localize, health, models):
        app.include_router(routes.router)
    add_handlers(app)
    return app

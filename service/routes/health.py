"""GET /health: summary; /health/live: alive; /health/ready: able to serve."""

import time

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from ecm_client.schemas import Health, HealthStatus, Liveness
from service.state import Service, ServiceState

router = APIRouter(prefix="/health", tags=["health"])


@router.get("", responses={503: {"model": Health}})
async def health(request: Request, response: Response, service: Service) -> Health:
    """Returns a summary of the service: 200, or 503 during shutdown."""
    ready = service.catalog.ready()
    failed = sum(entry.state == "failed" for entry in service.catalog.entries)
    is_degraded = failed or not await _can_store(service)
    status: HealthStatus = "unavailable" if not ready else "degraded" if is_degraded else "ok"
    if service.draining:
        status, response.status_code = "draining", 503
    return Health(
        status=status,
        version=request.app.version,
        models_ready=ready,
        models_failed=failed,
        uptime_s=round(time.monotonic() - service.started_s, 3),
    )


@router.get("/live", responses={503: {"model": Liveness}})
async def live(response: Response, service: Service) -> Liveness:
    """Returns 200, or 503 if work hangs and only a restart of the process helps."""
    if not service.slots.stuck():
        return Liveness(status="ok")
    response.status_code = 503
    return Liveness(status="stuck")


@router.get("/ready", responses={503: {"model": Liveness}})
async def ready(response: Response, service: Service) -> Liveness:
    """Returns 200 if a model can be served; 503 if not, without a data folder, or in shutdown."""
    if service.catalog.ready() and not service.draining and await _can_store(service):
        return Liveness(status="ok")
    response.status_code = 503
    return Liveness(status="draining" if service.draining else "unavailable")


async def _can_store(service: ServiceState) -> bool:
    """Returns whether the data folder is there, or is not needed because videos are not served."""
    videos = service.videos
    return videos is None or await to_thread.run_sync(videos.is_intact)

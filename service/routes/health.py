"""GET /health: summary; /health/live: alive; /health/ready: able to serve."""

import time

from fastapi import APIRouter, Request, Response

from ecm_client.schemas import Health, HealthStatus, Liveness
from service.state import Service

router = APIRouter(prefix="/health", tags=["health"])


@router.get("", responses={503: {"model": Health}})
async def health(request: Request, response: Response, service: Service) -> Health:
    """Returns a summary of the service: 200, or 503 during shutdown."""
    ready = service.catalog.ready()
    failed = sum(entry.state == "failed" for entry in service.catalog.entries)
    status: HealthStatus = "unavailable" if not ready else "degraded" if failed else "ok"
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
    """Returns 200 if at least one model can be served; 503 if none can, or during shutdown."""
    if service.catalog.ready() and not service.draining:
        return Liveness(status="ok")
    response.status_code = 503
    return Liveness(status="draining" if service.draining else "unavailable")

"""GET /health: one summary; /health/live: alive; /health/ready: able to serve."""

import time

from fastapi import APIRouter, Request, Response

from ecm_client.schemas import Health, HealthStatus, Liveness
from service.state import Service

router = APIRouter(prefix="/health", tags=["health"])


@router.get("", responses={503: {"model": Health}})
async def health(request: Request, response: Response, service: Service) -> Health:
    """Tells how the service is; 503 once it was told to end, 200 else."""
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
    """Answers 200, or 503 where work hangs and only a new process would help."""
    if not service.slots.stuck():
        return Liveness(status="ok")
    response.status_code = 503
    return Liveness(status="stuck")


@router.get("/ready", responses={503: {"model": Liveness}})
async def ready(response: Response, service: Service) -> Liveness:
    """Answers 200 if some model can be served, 503 otherwise and once the service is to end."""
    if service.catalog.ready() and not service.draining:
        return Liveness(status="ok")
    response.status_code = 503
    return Liveness(status="draining" if service.draining else "unavailable")

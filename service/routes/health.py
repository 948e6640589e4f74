"""GET /health: one summary; /health/live: alive; /health/ready: able to serve."""

import time

from fastapi import APIRouter, Request, Response

from service.schemas import Health, Liveness

router = APIRouter(prefix="/health", tags=["health"])


@router.get("")
async def health(request: Request) -> Health:
    """Tells how the service is; always 200."""
    service = request.app.state.service
    ready = service.catalog.ready()
    failed = sum(entry.state == "failed" for entry in service.catalog.entries)
    return Health(
        status="unavailable" if not ready else "degraded" if failed else "ok",
        version=request.app.version,
        models_ready=ready,
        models_failed=failed,
        uptime_s=round(time.monotonic() - service.started_s, 3),
    )


@router.get("/live")
async def live() -> Liveness:
    """Answers as long as the process does."""
    return Liveness(status="ok")


@router.get("/ready", responses={503: {"model": Liveness}})
async def ready(request: Request, response: Response) -> Liveness:
    """Answers 200 if some model can be served, 503 otherwise."""
    if request.app.state.service.catalog.ready():
        return Liveness(status="ok")
    response.status_code = 503
    return Liveness(status="unavailable")

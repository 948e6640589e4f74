"""GET /metrics: what Prometheus asks for."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.errors import JobsUnavailableError

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Tells all metrics; jobs are left out while their database is away."""
    service = request.app.state.service
    try:
        jobs = await service.videos.jobs.unfinished() if service.videos else {}
    except JobsUnavailableError:
        jobs = {}
    return Response(service.metrics.exposition(jobs), media_type=CONTENT_TYPE_LATEST)

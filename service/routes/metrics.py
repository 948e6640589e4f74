"""GET /metrics: what Prometheus asks for."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.errors import JobsUnavailableError
from service.state import Service

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(service: Service) -> Response:
    """Tells all metrics; jobs are left out while their database is away."""
    try:
        jobs = await service.videos.jobs.unfinished() if service.videos else {}
    except JobsUnavailableError:
        jobs = {}
    return Response(service.metrics.exposition(jobs), media_type=CONTENT_TYPE_LATEST)

"""GET /metrics for Prometheus."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.errors import JobsUnavailableError
from service.state import Service

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(service: Service) -> Response:
    """Returns all metrics; without the numbers of jobs while their database is unreachable."""
    try:
        jobs = await service.videos.jobs.unfinished() if service.videos else {}
    except JobsUnavailableError:
        jobs = {}
    return Response(service.metrics.exposition(jobs), media_type=CONTENT_TYPE_LATEST)

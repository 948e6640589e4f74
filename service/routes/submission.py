"""Submits a video as a job, for POST /localize and POST /jobs."""

from typing import Annotated
from uuid import UUID, uuid4, uuid5

from fastapi import Header, Request, Response

from ecm_client.schemas import Job
from service.routes.media_types import JSON
from service.state import ServiceState
from service.videos.video_request import VideoRequest

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=255,
        description="Any text, new for each video. Requests that repeat a key share one job.",
    ),
]
_KEYS = UUID("5f1f3d8e-6c7e-4b3d-9a55-0d5a4f0c2b11")
"""Namespace of the job ids that are made from idempotency keys."""


async def check_room(service: ServiceState, key: str | None) -> None:
    """Checks before a video is received that the queue has room, or that its key has a job already.

    Raises:
        QueueFullError: too many jobs wait.
        VideosNotServedError, JobsUnavailableError: videos cannot be accepted.
    """
    await service.served_videos().jobs.check_room(job_id(key))


async def submit(
    request: Request, service: ServiceState, video: VideoRequest, key: str | None
) -> Job:
    """Submits a video and returns its job; an idempotency key always yields the same job."""
    job = await service.served_videos().submit(job_id(key), video)
    request.state.record.job = job.id
    return job


def job_id(key: str | None) -> str:
    """Returns the id of the job of an idempotency key; a new id without one."""
    return str(uuid5(_KEYS, key) if key else uuid4())


def accepted(request: Request, job: Job) -> Response:
    """Returns response 202 with a job and its location."""
    return Response(
        job.model_dump_json(exclude_none=True),
        202,
        headers={"Location": str(request.url_for("find_job", id_=job.id).path)},
        media_type=JSON,
    )

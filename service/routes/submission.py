"""What POST /localize and POST /jobs share: a video becomes a job."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid4, uuid5

from fastapi import Header, Request, Response

from ecm_client.schemas import Job
from service.errors import VideosNotServedError
from service.routes.request_body import VideoRequest

if TYPE_CHECKING:
    from service.videos.intake import Videos
    from service.videos.uploads import Uploads

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=255,
        description="Any text, new for each video. The same request with the same key is done "
        "once, however often it is sent.",
    ),
]
_KEYS = UUID("5f1f3d8e-6c7e-4b3d-9a55-0d5a4f0c2b11")


def served_videos(request: Request) -> "Videos":
    """Returns what takes videos.

    Raises:
        VideosNotServedError: nothing does.
    """
    videos: Videos | None = request.app.state.service.videos
    if videos is None:
        raise VideosNotServedError(
            "this service takes features only; to have it take videos, install "
            "'ecm-localizer[service,jobs]'"
        )
    return videos


def uploads(request: Request) -> "Uploads":
    """Returns what takes the files of videos; see `served_videos`."""
    return served_videos(request).uploads


async def submit(request: Request, video: VideoRequest, key: str | None) -> Job:
    """Hands in the job that a request asks for; with the same key, the same job."""
    id_ = uuid5(_KEYS, key) if key else uuid4()
    job = await served_videos(request).submit(str(id_), video)
    request.state.record.job = job.id
    return job


def accepted(request: Request, job: Job) -> Response:
    """Returns the answer that names a job to ask for."""
    return Response(
        job.model_dump_json(exclude_none=True),
        202,
        headers={"Location": str(request.url_for("find_job", id_=job.id).path)},
        media_type="application/json",
    )

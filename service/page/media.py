"""The video of a job for players, its stills, and tickets for both."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from service.http.tickets import EXPIRES_S
from service.page.ranged_file import ranged_file
from service.page.schemas import Ticket
from service.routes.description import BINARY, problems
from service.state import Service
from service.videos.media_type import media_type_of

router = APIRouter(prefix="/jobs", tags=["jobs"])

_MAX_HEIGHT = 720
_VIDEO = {"content": {"video/*": {"schema": BINARY}}}
_TICKET = {
    "name": "ticket",
    "in": "query",
    "required": False,
    "description": "Ticket of POST /jobs/{id}/ticket, in place of an API key.",
    "schema": {"type": "string"},
}
"""Described only, because the check of keys reads it."""


@router.post("/{id_}/ticket", responses=problems(404, 422, 501, 503))
async def issue_ticket(service: Service, id_: str) -> Ticket:
    """Returns a ticket with which elements of a page read the video and the stills of a job."""
    videos = service.served_videos()
    await videos.jobs.request(id_)
    return Ticket(ticket=videos.tickets.issue(id_), expires_s=EXPIRES_S)


@router.get(
    "/{id_}/video",
    response_class=Response,
    responses={200: _VIDEO, 206: _VIDEO, **problems(404, 416, 422, 501, 503)},
    openapi_extra={"parameters": [_TICKET]},
)
async def play_video(request: Request, service: Service, id_: str) -> Response:
    """Returns the video of a job, or a range of its bytes, as long as the service has it."""
    path, name = await service.served_videos().video_of(id_)
    media_type = await to_thread.run_sync(media_type_of, path)
    return ranged_file(path, request.headers, media_type=media_type, name=name)


@router.get(
    "/{id_}/still",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": BINARY}}},
        **problems(404, 422, 501, 503, 504),
    },
    openapi_extra={"parameters": [_TICKET]},
)
async def show_still(
    service: Service,
    id_: str,
    time_s: Annotated[float, Query(ge=0, le=1e6, allow_inf_nan=False, description="Time.")] = 0.0,
    height: Annotated[int, Query(ge=16, le=_MAX_HEIGHT, description="Height in pixels.")] = 180,
) -> Response:
    """Returns the frame on screen at a time as JPEG, the right way up."""
    videos = service.served_videos()
    path, _ = await videos.video_of(id_)
    return Response(await videos.stills.still(path, time_s, height), media_type="image/jpeg")

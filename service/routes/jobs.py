"""POST and GET /jobs, GET and DELETE /jobs/{id}, GET /jobs/{id}/events: localization as jobs."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ecm_client.schemas import Job, JobList, JobRequest
from service.errors import OverloadedError, UnusableInputError
from service.routes.description import BINARY, OPTIONS, PROBLEMS, file_form, problems, whole_schema
from service.routes.examples import OF_VIDEO
from service.routes.media_types import FORM, JSON, RAW, VIDEO
from service.routes.request_body import FILE_NAME, receive_body
from service.routes.submission import IdempotencyKey, accepted, check_room, submit
from service.state import Service
from service.videos.video_request import VideoRequest

router = APIRouter(prefix="/jobs", tags=["jobs"])

_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": whole_schema(JobRequest), "examples": OF_VIDEO},
        f"{VIDEO}*": {"schema": BINARY},
        RAW: {"schema": BINARY},
        FORM: {"schema": file_form("A video file.")},
    },
}
_FILE_NAME_HEADER = {
    "name": FILE_NAME,
    "in": "header",
    "required": False,
    "description": "Name of the file, as percent-encoded UTF-8, where the body is the file itself.",
    "schema": {"type": "string"},
}
_OF_A_JOB = problems(404, 422, 501, 503)


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=PROBLEMS,
    openapi_extra={"requestBody": _BODY, "parameters": [*OPTIONS, _FILE_NAME_HEADER]},
)
async def create_job(
    request: Request, service: Service, idempotency_key: IdempotencyKey = None
) -> Response:
    """Submits a video, uploaded or referenced, for localization."""
    room = partial(check_room, service, idempotency_key)
    await room()  # before a short form or JSON is read, too
    video = await receive_body(request, service, room)
    if not isinstance(video, VideoRequest):
        raise UnusableInputError("expected a video; features go to POST /localize")
    return accepted(request, await submit(request, service, video, idempotency_key))


@router.get("", responses=_OF_A_JOB, response_model_exclude_none=True)
async def list_jobs(
    service: Service,
    limit: Annotated[int, Query(ge=1, le=100, description="Most jobs of the page.")] = 20,
    after: Annotated[
        str | None,
        Query(description="`next` of the page before: its last job. Absent for the newest."),
    ] = None,
) -> JobList:
    """Lists jobs without their results, newest first."""
    return await service.served_videos().jobs.listing.page(limit, after)


@router.get("/{id_}", responses=_OF_A_JOB, response_model_exclude_none=True)
async def find_job(service: Service, id_: str) -> Job:
    """Returns a job's state and progress, and its result when it is done."""
    return await service.served_videos().jobs.find(id_)


async def _changes(service: Service, id_: str) -> AsyncIterator[AsyncIterator[Job]]:
    """Yields the changes of a job that exists, because a stream that has begun cannot be a 404."""
    jobs = service.served_videos().jobs
    with service.followers.place():
        await jobs.find(id_)
        async with aclosing(service.followers.changes(id_, jobs.changes)) as changes:
            yield changes


@router.get("/{id_}/events", responses=_OF_A_JOB, response_class=EventSourceResponse)
async def follow_job(
    request: Request,
    service: Service,
    changes: Annotated[AsyncIterator[Job], Depends(_changes)],
) -> AsyncIterator[ServerSentEvent]:
    """Streams each change of a job as a server-sent event, named by its state, until its end.

    The stream breaks off when the service shuts down, or has no memory for a long result. Connect
    again, as browsers do on their own.
    """
    previous = None
    async for job in changes:
        if previous and service.draining:
            return
        if job != previous:
            previous = job
            content = job.model_dump_json(exclude_none=True)
            try:
                request.state.ticket.reserve(len(content))
            except OverloadedError:
                return
            yield ServerSentEvent(raw_data=content, event=job.state)


@router.delete("/{id_}", responses=_OF_A_JOB, response_model_exclude_none=True)
async def cancel_job(service: Service, id_: str) -> Job:
    """Cancels an unfinished job; a running one stops after its current chunk of snippets."""
    return await service.served_videos().jobs.cancel(id_)

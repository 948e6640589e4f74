"""POST /jobs, GET /jobs/{id}, GET /jobs/{id}/events, DELETE /jobs/{id}: long work on videos."""

from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ecm_client.schemas import Job, JobRequest
from service.errors import UnusableInputError
from service.routes.description import BINARY, OPTIONS, PROBLEMS, file_form, problems, whole_schema
from service.routes.request_body import FORM, JSON, VIDEO, VideoRequest, receive_body
from service.routes.submission import (
    IdempotencyKey,
    accepted,
    served_videos,
    submit,
    uploads,
)

if TYPE_CHECKING:
    from service.videos.jobs import Jobs

router = APIRouter(prefix="/jobs", tags=["jobs"])

_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": whole_schema(JobRequest)},
        f"{VIDEO}*": {"schema": BINARY},
        FORM: {"schema": file_form("A video file.")},
    },
}
_OF_A_JOB = problems(404, 422, 501, 503)


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=PROBLEMS,
    openapi_extra={"requestBody": _BODY, "parameters": OPTIONS},
)
async def create_job(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Hands in a video, uploaded or named, to be worked on."""
    received = await receive_body(request, partial(uploads, request))
    if not isinstance(received, VideoRequest):
        most = request.app.state.service.settings.max_snippets
        parsed = await to_thread.run_sync(received.parse, most)
        if not isinstance(parsed, VideoRequest):
            raise UnusableInputError("expected a video; features go to POST /localize")
        received = parsed
    return accepted(request, await submit(request, received, idempotency_key))


@router.get("/{id_}", responses=_OF_A_JOB, response_model_exclude_none=True)
async def find_job(request: Request, id_: str) -> Job:
    """Tells how far a job is, and its result once it is done."""
    return await _jobs(request).find(id_)


async def _followed(request: Request, id_: str) -> AsyncIterator[Job]:
    """Gives the changes of a job, which is there: an answer that has begun cannot say 404."""
    await _jobs(request).find(id_)
    return _jobs(request).changes(id_)


@router.get("/{id_}/events", responses=_OF_A_JOB, response_class=EventSourceResponse)
async def follow_job(
    request: Request, changes: Annotated[AsyncIterator[Job], Depends(_followed)]
) -> AsyncIterator[ServerSentEvent]:
    """Tells of each change of a job, as server-sent events named by its state, until its end.

    They break off where the service is told to end; ask again, as browsers do by themselves.
    """
    told = None
    async for job in changes:
        if told and request.app.state.service.draining:
            return
        if job != told:
            told = job
            yield ServerSentEvent(raw_data=job.model_dump_json(exclude_none=True), event=job.state)


@router.delete("/{id_}", responses=_OF_A_JOB, response_model_exclude_none=True)
async def cancel_job(request: Request, id_: str) -> Job:
    """Cancels a job that is not finished; one at work ends with the snippets that it is at."""
    return await _jobs(request).cancel(id_)


def _jobs(request: Request) -> "Jobs":
    return served_videos(request).jobs

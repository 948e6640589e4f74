"""POST /localize."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from ecm_client.schemas import ActivityNetResponse, Job, LocalizeRequest, LocalizeResponse
from service.http.error_responses import problem_response
from service.http.request_record import RequestRecord
from service.localize.answer import answer
from service.routes.description import (
    BINARY,
    OPTIONS,
    PROBLEMS,
    TIMEOUT_HEADER,
    file_form,
    whole_schema,
)
from service.routes.request_body import FORM, JSON, NPY, RAW, VIDEO, VideoRequest, receive_body
from service.routes.submission import (
    IdempotencyKey,
    accepted,
    served_videos,
    submit,
    uploads,
)

router = APIRouter(tags=["localize"])

_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": whole_schema(LocalizeRequest)},
        NPY: {"schema": BINARY},
        RAW: {"schema": BINARY},
        f"{VIDEO}*": {"schema": BINARY},
        FORM: {"schema": file_form("An .npy file or a video.")},
    },
}
_RAW_HEADERS = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": f"Only with {RAW}.",
        "schema": {"type": "string"},
        "example": example,
    }
    for name, example in (("X-Shape", "750,2048"), ("X-Dtype", "float32"))
]
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": Job, "description": "The video takes longer; ask for this job."}
}


@router.post(
    "/localize",
    response_model=LocalizeResponse | ActivityNetResponse,
    responses=_ACCEPTED | PROBLEMS,
    openapi_extra={"requestBody": _BODY, "parameters": [*OPTIONS, *_RAW_HEADERS, TIMEOUT_HEADER]},
)
async def localize(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Finds the action segments of a video: from its snippet features, or from the video itself."""
    service = request.app.state.service
    received = await receive_body(request, partial(uploads, request))
    if not isinstance(received, VideoRequest):
        work = partial(
            answer, received, service.catalog, max_snippets=service.settings.max_snippets
        )
        record: RequestRecord = request.state.record
        answered = await service.slots.compute(request, work)
        if not isinstance(answered, VideoRequest):
            record.computed(answered.model, answered.snippets, answered.stages_s)
            service.metrics.localized(answered.snippets, answered.segments)
            return Response(answered.content, media_type=JSON)
        received = answered
    return await _localize_video(request, received, idempotency_key)


async def _localize_video(request: Request, video: VideoRequest, key: str | None) -> Response:
    """Answers at once if the video is short, else with its job."""
    videos = served_videos(request)
    request.state.ticket.leave()  # others need not wait for it
    job = await submit(request, video, key)
    job = await videos.jobs.wait(job.id, request.app.state.service.settings.wait_s)
    if job.error:
        return problem_response(job.error)
    if isinstance(job.result, LocalizeResponse):
        model = job.result.model
        request.state.record.computed(f"{model.name}/{model.version}", job.result.snippets, {})
    if job.result:
        return Response(job.result.model_dump_json(exclude_none=True), media_type=JSON)
    return accepted(request, job)

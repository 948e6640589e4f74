"""POST /localize: segments of a video, from its features or from the video itself."""

from functools import partial
from time import perf_counter
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from ecm_client.schemas import ActivityNetResponse, Job, LocalizeRequest, LocalizeResponse
from model.arrays import check_features
from model.options import features_duration_s
from service.http.error_responses import problem_response
from service.http.request_record import RequestRecord
from service.localize.activations import Activations
from service.localize.answer import LocalizedAnswer, localize_features
from service.localize.stop import Stop
from service.models.catalog import Catalog
from service.routes.description import (
    BINARY,
    OPTIONS,
    PROBLEMS,
    TIMEOUT_HEADER,
    file_form,
    whole_schema,
)
from service.routes.examples import OF_FEATURES, OF_SEGMENTS, OF_VIDEO
from service.routes.features_body import FeaturesBody
from service.routes.media_types import FORM, JSON, NPY, RAW, VIDEO
from service.routes.request_body import receive_body
from service.routes.submission import IdempotencyKey, accepted, check_room, submit
from service.state import Service, ServiceState
from service.videos.video_request import VideoRequest

router = APIRouter(tags=["localize"])

_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": whole_schema(LocalizeRequest), "examples": OF_FEATURES | OF_VIDEO},
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
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {JSON: {"examples": OF_SEGMENTS}}},
    202: {"model": Job, "description": "The video takes longer; poll this job."},
}


@router.post(
    "/localize",
    response_model=LocalizeResponse | ActivityNetResponse,
    responses=_ANSWERS | PROBLEMS,
    openapi_extra={"requestBody": _BODY, "parameters": [*OPTIONS, *_RAW_HEADERS, TIMEOUT_HEADER]},
)
async def localize(
    request: Request, service: Service, idempotency_key: IdempotencyKey = None
) -> Response:
    """Finds the action segments of a video, from its snippet features or from the video itself."""
    body = await receive_body(request, service, partial(check_room, service, idempotency_key))
    if isinstance(body, VideoRequest):
        return await _localize_video(request, service, body, idempotency_key)
    return await _localize_features(request, service, body)


async def _localize_features(
    request: Request, service: ServiceState, body: FeaturesBody
) -> Response:
    settings = service.settings
    work = partial(
        localize_body,
        body,
        service.catalog,
        service.activations,
        max_snippets=settings.max_snippets,
        max_segments=settings.max_segments,
    )
    answer = await service.slots.compute(request, work)
    record: RequestRecord = request.state.record
    record.computed(answer.model, answer.snippets, answer.stages_s)
    service.metrics.localized(answer.snippets, answer.segments)
    return Response(answer.content, media_type=JSON)


async def _localize_video(
    request: Request, service: ServiceState, video: VideoRequest, key: str | None
) -> Response:
    """Returns the result if it is there within `wait_s`, and the job otherwise."""
    videos = service.served_videos()
    request.state.ticket.leave()  # a job does not delay other requests
    job = await submit(request, service, video, key)
    job = await videos.jobs.wait(job.id, service.settings.wait_s)
    if job.error:
        return problem_response(job.error)
    if isinstance(job.result, LocalizeResponse):
        model = job.result.model
        request.state.record.computed(f"{model.name}/{model.version}", job.result.snippets, {})
    if job.result:
        return Response(job.result.model_dump_json(exclude_none=True), media_type=JSON)
    return accepted(request, job)


def localize_body(
    body: FeaturesBody,
    catalog: Catalog,
    activations: Activations,
    stop: Stop,
    *,
    max_snippets: int,
    max_segments: int,
) -> LocalizedAnswer:
    """Returns the answer to a body of features. Runs in a worker thread.

    Raises:
        ServiceError, InputError: raised by `FeaturesBody.parse`, `Catalog.find`, `check_features`
            and `features_duration_s`.
    """
    start = perf_counter()
    features, options = body.parse(max_snippets)
    entry = catalog.find(options.model, options.version)
    spec = entry.spec
    features_TD = check_features(features, feature_dim=spec.feature_dim, max_snippets=max_snippets)
    duration_s = features_duration_s(options, spec, len(features_TD))
    before = {"parse": perf_counter() - start}
    return localize_features(
        features_TD,
        options,
        entry,
        duration_s,
        before=before,
        max_segments=max_segments,
        keep=partial(activations.keep, uuid4().hex) if options.include == "activation" else None,
        stop=stop,
    )

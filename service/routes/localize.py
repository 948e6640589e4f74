"""POST /localize."""

from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from service.features_body import FORM, JSON, NPY, RAW, receive_body
from service.localization import answer
from service.schemas import (
    ActivityNetResponse,
    LocalizeOptions,
    LocalizeRequest,
    LocalizeResponse,
    Problem,
)

router = APIRouter(tags=["localize"])

_BINARY = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": LocalizeRequest.model_json_schema()},
        NPY: {"schema": _BINARY},
        RAW: {"schema": _BINARY},
        FORM: {
            "schema": {
                "type": "object",
                "properties": {"file": _BINARY | {"description": "An .npy file."}},
                "required": ["file"],
            }
        },
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
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}}
    for status in (400, 404, 413, 415, 422, 503)
}


@router.post(
    "/localize",
    response_model=LocalizeResponse | ActivityNetResponse,
    responses=PROBLEMS,
    openapi_extra={"requestBody": _BODY, "parameters": _RAW_HEADERS},
)
async def localize(request: Request, options: Annotated[LocalizeOptions, Query()]) -> Response:
    """Finds the action segments of a video from its snippet features."""
    service = request.app.state.service
    body = await receive_body(request, options)
    work = partial(answer, body, service.catalog, max_snippets=service.settings.max_snippets)
    content = await to_thread.run_sync(work, limiter=service.limiter)
    return Response(content, media_type=JSON)

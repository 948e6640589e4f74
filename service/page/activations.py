"""GET /activations/{id} and POST /activations/{id}/localize: kept class activation sequences."""

import io
from functools import partial
from typing import Final

import numpy as np
from fastapi import APIRouter, Request, Response

from ecm_client.schemas import LocalizeOptions, LocalizeResponse, SegmentOptions
from model.localization.localize import scale_cas
from service.http.request_record import RequestRecord
from service.localize.activations import Activation
from service.localize.answer import LocalizedAnswer, localize_again, model_of
from service.localize.stop import Stop
from service.page.json_body import json_body, read_json
from service.routes.description import BINARY, TIMEOUT_HEADER, problems
from service.routes.media_types import JSON, NPY
from service.state import Service, ServiceState

router = APIRouter(prefix="/activations", tags=["activations"])

SNIPPET_S: Final = "X-Snippet-S"
"""Header with the seconds from one row to the next."""
FIRST_SNIPPET_S: Final = "X-First-Snippet-S"
"""Header with the time of the first row, which is the centre of the first snippet."""
_BODY = json_body(SegmentOptions)


@router.get(
    "/{id_}",
    response_class=Response,
    responses={200: {"content": {NPY: {"schema": BINARY}}}, **problems(404, 422, 503, 504)},
)
async def find_activation(request: Request, service: Service, id_: str) -> Response:
    """Returns a class activation sequence as .npy: float32, a row a snippet, a column a class.

    The values are those that localization thresholds. With the scale `video` they are at most 1,
    and negative ones are background.
    """
    work = partial(_scaled, service, id_)
    content, snippet_s = await service.slots.compute(request, work, is_typical=False)
    headers = {SNIPPET_S: repr(snippet_s), FIRST_SNIPPET_S: repr(0.5 * snippet_s)}
    return Response(content, media_type=NPY, headers=headers)


@router.post(
    "/{id_}/localize",
    response_model=LocalizeResponse,
    responses=problems(400, 404, 413, 415, 422, 503, 504),
    openapi_extra={"requestBody": _BODY, "parameters": [TIMEOUT_HEADER]},
)
async def localize_activation(request: Request, service: Service, id_: str) -> Response:
    """Finds the segments that other options give, without running the network again."""
    options = await read_json(request, SegmentOptions)
    work = partial(_localized, service, id_, options)
    answer = await service.slots.compute(request, work, is_typical=False)
    record: RequestRecord = request.state.record
    record.computed(answer.model, answer.snippets, answer.stages_s)
    return Response(answer.content, media_type=JSON)


def _scaled(service: ServiceState, id_: str, _: Stop) -> tuple[bytes, float]:
    """Returns the .npy file of an activation, and the seconds of a snippet."""
    activation: Activation = service.activations.find(id_)
    spec = model_of(activation, service.catalog).spec
    file = io.BytesIO()
    np.save(file, scale_cas(activation.cas_TC, spec.localization.cas_scale))
    return file.getvalue(), activation.facts.duration_s / len(activation.cas_TC)


def _localized(
    service: ServiceState, id_: str, options: SegmentOptions, stop: Stop
) -> LocalizedAnswer:
    return localize_again(
        service.activations.find(id_),
        id_,
        LocalizeOptions(**options.model_dump()),
        service.catalog,
        max_segments=service.settings.max_segments,
        stop=stop,
    )

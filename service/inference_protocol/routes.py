"""Routes of the Open Inference Protocol v2 below /v2, for Triton's clients and others."""

from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from service.errors import ModelUnavailableError, UnsupportedCallError, unusable_if_invalid
from service.http.body import receive_whole, whole_number
from service.http.error_responses import INFERENCE_PROTOCOL, InferenceError
from service.http.request_record import RequestRecord
from service.inference_protocol.infer import ReceivedInference, infer
from service.inference_protocol.schemas import (
    IndexEntry,
    IndexRequest,
    InferenceRequest,
    InferenceResponse,
    ModelConfig,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from service.inference_protocol.triton_config import input_tensors, model_config, output_tensors
from service.inference_protocol.wire import HEADER_LENGTH
from service.models.catalog import Catalog, CatalogEntry
from service.routes.description import BINARY, TIMEOUT_HEADER, whole_schema
from service.routes.media_types import JSON, RAW
from service.state import Service, ServiceState

router = APIRouter(
    prefix=INFERENCE_PROTOCOL,
    tags=["open inference protocol"],
    responses={"4XX": {"model": InferenceError}, "5XX": {"model": InferenceError}},
)

_INDEX_BYTES = 4096
"""Longest body of POST /v2/repository/index, which the event loop parses."""
_EXTENSIONS = ["binary_tensor_data", "model_configuration"]
_INFER: dict[str, Any] = {
    "response_model": InferenceResponse,
    "response_model_exclude_none": True,
    "responses": {200: {"content": {RAW: {"schema": BINARY}}}},
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": whole_schema(InferenceRequest)},
                RAW: {"schema": BINARY},
            },
        },
        "parameters": [
            {
                "name": HEADER_LENGTH,
                "in": "header",
                "required": False,
                "description": "Number of bytes of JSON at the start of the body; binary tensors "
                "follow. 0: the body is one video of FP32 features.",
                "schema": {"type": "integer", "minimum": 0},
            },
            TIMEOUT_HEADER,
        ],
    },
}


@router.get("")
async def server_metadata(request: Request) -> ServerMetadata:
    """Returns the name, version and extensions of the server."""
    return ServerMetadata(name="ecm-localizer", version=request.app.version, extensions=_EXTENSIONS)


@router.get("/health/live")
async def server_live(service: Service) -> ServerLive:
    """Returns 200, or 503 if work hangs and only a restart of the process helps."""
    if service.slots.stuck():
        raise ModelUnavailableError("work hangs; restart the process")
    return ServerLive()


@router.get("/health/ready")
async def server_ready(service: Service) -> ServerReady:
    """Returns 200 if at least one model can be served; 503 if none can, or during shutdown."""
    if service.draining:
        raise ModelUnavailableError("the server is draining: it shuts down")
    if not service.catalog.ready():
        raise ModelUnavailableError("no model can be served; see POST /v2/repository/index")
    return ServerReady()


@router.get("/models/stats", include_in_schema=False)
@router.get("/models/{name}/stats", include_in_schema=False)
@router.get("/models/{name}/versions/{version}/stats", include_in_schema=False)
@router.api_route("/models/{name}/trace/setting", methods=["GET", "POST"], include_in_schema=False)
@router.api_route("/trace/setting", methods=["GET", "POST"], include_in_schema=False)
@router.api_route("/logging", methods=["GET", "POST"], include_in_schema=False)
@router.api_route("/systemsharedmemory/{rest:path}", methods=["GET", "POST"],
                  include_in_schema=False)  # fmt: skip
@router.api_route("/cudasharedmemory/{rest:path}", methods=["GET", "POST"],
                  include_in_schema=False)  # fmt: skip
async def unsupported(request: Request) -> Response:
    """Refuses extensions of the protocol that GET /v2 does not list."""
    raise UnsupportedCallError(f"{request.method} {request.url.path} is not supported")


@router.post("/repository/models/{name}/load")
async def load_model(service: Service, name: str) -> dict[str, str]:
    """Serves an unloaded model again, tries failed versions again, and loads new versions."""
    await to_thread.run_sync(service.model_keeper().load, name)
    return {}


@router.post("/repository/models/{name}/unload")
async def unload_model(service: Service, name: str) -> dict[str, str]:
    """Stops serving a model until it is loaded again."""
    await to_thread.run_sync(service.model_keeper().unload, name)
    return {}


@router.post(
    "/repository/index",
    openapi_extra={"requestBody": {"content": {JSON: {"schema": whole_schema(IndexRequest)}}}},
)
async def index(request: Request, service: Service) -> list[IndexEntry]:
    """Lists every version of every model. The body is optional."""
    with unusable_if_invalid():
        content = await receive_whole(request, max_bytes=_INDEX_BYTES)
        options = IndexRequest.model_validate_json(bytes(content) or b"{}")
    entries = service.catalog.entries
    return [_index_entry(entry) for entry in entries if entry.ready or not options.ready]


@router.get("/models/{name}")
async def model_metadata(service: Service, name: str) -> ModelMetadata:
    """Returns the inputs and outputs of a model."""
    return _metadata(service.catalog, name)


@router.get("/models/{name}/versions/{version}")
async def version_metadata(service: Service, name: str, version: int) -> ModelMetadata:
    """Returns the inputs and outputs of one version."""
    return _metadata(service.catalog, name, version)


@router.get("/models/{name}/ready")
async def model_ready(service: Service, name: str) -> ModelReady:
    """Returns 200 if a version of the model can be served, 404 or 503 otherwise."""
    return ModelReady(name=service.catalog.find(name, None).published.name)


@router.get("/models/{name}/versions/{version}/ready")
async def version_ready(service: Service, name: str, version: int) -> ModelReady:
    """Returns 200 if this version can be served, 404 or 503 otherwise."""
    return ModelReady(name=service.catalog.find(name, version).published.name)


@router.get("/models/{name}/config")
async def config(service: Service, name: str) -> ModelConfig:
    """Returns a Triton configuration that serves the model."""
    return model_config(name, service.catalog.find(name, None).spec)


@router.get("/models/{name}/versions/{version}/config")
async def version_config(service: Service, name: str, version: int) -> ModelConfig:
    """Returns a Triton configuration that serves this version."""
    return model_config(name, service.catalog.find(name, version).spec)


@router.post("/models/{name}/infer", **_INFER)
async def infer_newest(request: Request, service: Service, name: str) -> Response:
    """Runs the network of a model's newest version on snippet features."""
    return await _infer(request, service, name)


@router.post("/models/{name}/versions/{version}/infer", **_INFER)
async def infer_version(request: Request, service: Service, name: str, version: int) -> Response:
    """Runs the network of one version on snippet features."""
    return await _infer(request, service, name, version)


async def _infer(
    request: Request, service: ServiceState, name: str, version: int | None = None
) -> Response:
    content = await receive_whole(
        request, head_bytes=whole_number(request.headers.get(HEADER_LENGTH, "")) or 0
    )
    received = ReceivedInference(
        name,
        version,
        content,
        encoding=request.headers.get("content-encoding", ""),
        accepted=request.headers.get("accept-encoding", ""),
        header_length=request.headers.get(HEADER_LENGTH),
    )
    work = partial(
        infer,
        received,
        service.catalog,
        max_snippets=service.settings.max_snippets,
        max_bytes=service.settings.max_body_bytes,
    )
    record: RequestRecord = request.state.record
    answer = await service.slots.compute(request, work)
    record.computed(answer.model, answer.snippets, answer.stages_s)
    return Response(answer.content, headers=answer.headers)


def _metadata(catalog: Catalog, name: str, version: int | None = None) -> ModelMetadata:
    spec = catalog.find(name, version).spec
    return ModelMetadata(
        name=name,
        versions=[str(e.published.version) for e in catalog.versions(name) if e.ready],
        platform="onnxruntime_onnx",
        inputs=input_tensors(spec),
        outputs=output_tensors(spec),
    )


def _index_entry(entry: CatalogEntry) -> IndexEntry:
    return IndexEntry(
        name=entry.published.name,
        version=str(entry.published.version),
        state="READY" if entry.ready else "UNAVAILABLE",
        reason=entry.reason or "",
    )

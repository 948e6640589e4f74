"""The Open Inference Protocol v2 below /v2: the bare network, for Triton's clients and others."""

from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from service.errors import (
    INFERENCE_PROTOCOL,
    InferenceError,
    ModelUnavailableError,
    UnsupportedCallError,
    unusable_if_invalid,
)
from service.http.body import receive_whole, whole_number
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
                "description": "Bytes of the body that are JSON; binary tensors follow. 0: the "
                "body is one video of FP32 features.",
                "schema": {"type": "integer", "minimum": 0},
            },
            TIMEOUT_HEADER,
        ],
    },
}


@router.get("")
async def server_metadata(request: Request) -> ServerMetadata:
    """Tells what this server is."""
    return ServerMetadata(name="ecm-localizer", version=request.app.version, extensions=_EXTENSIONS)


@router.get("/health/live")
async def server_live(service: Service) -> ServerLive:
    """Answers 200, or 503 where work hangs and only a new process would help."""
    if service.slots.stuck():
        raise ModelUnavailableError("work hangs; a new process would help")
    return ServerLive()


@router.get("/health/ready")
async def server_ready(service: Service) -> ServerReady:
    """Answers 200 if some model can be served, 503 otherwise and once the server is to end."""
    if service.draining:
        raise ModelUnavailableError("the server is draining: it was told to end")
    if not service.catalog.ready():
        raise ModelUnavailableError("no model can be served; POST /v2/repository/index says why")
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
    """Refuses the extensions of the protocol that GET /v2 does not list."""
    raise UnsupportedCallError(f"{request.method} {request.url.path} is not served")


@router.post("/repository/models/{name}/load")
async def load_model(service: Service, name: str) -> dict[str, str]:
    """Serves a model again that was unloaded, or whose versions failed; looks for new ones too."""
    await to_thread.run_sync(service.model_keeper().load, name)
    return {}


@router.post("/repository/models/{name}/unload")
async def unload_model(service: Service, name: str) -> dict[str, str]:
    """Serves a model no more, until it is loaded again."""
    await to_thread.run_sync(service.model_keeper().unload, name)
    return {}


@router.post(
    "/repository/index",
    openapi_extra={"requestBody": {"content": {JSON: {"schema": whole_schema(IndexRequest)}}}},
)
async def index(request: Request, service: Service) -> list[IndexEntry]:
    """Lists every version of every model; the body may be left out."""
    with unusable_if_invalid():
        options = IndexRequest.model_validate_json(await request.body() or b"{}")
    entries = service.catalog.entries
    return [_index_entry(entry) for entry in entries if entry.ready or not options.ready]


@router.get("/models/{name}")
async def model_metadata(service: Service, name: str) -> ModelMetadata:
    """Tells a model's inputs and outputs."""
    return _metadata(service.catalog, name)


@router.get("/models/{name}/versions/{version}")
async def version_metadata(service: Service, name: str, version: int) -> ModelMetadata:
    """Tells the inputs and outputs of one version."""
    return _metadata(service.catalog, name, version)


@router.get("/models/{name}/ready")
async def model_ready(service: Service, name: str) -> ModelReady:
    """Answers 200 if some version of a model can be served, 404 or 503 otherwise."""
    return ModelReady(name=service.catalog.find(name, None).published.name)


@router.get("/models/{name}/versions/{version}/ready")
async def version_ready(service: Service, name: str, version: int) -> ModelReady:
    """Answers 200 if one version can be served, 404 or 503 otherwise."""
    return ModelReady(name=service.catalog.find(name, version).published.name)


@router.get("/models/{name}/config")
async def config(service: Service, name: str) -> ModelConfig:
    """Tells how Triton would be configured to serve a model."""
    return model_config(name, service.catalog.find(name, None).spec)


@router.get("/models/{name}/versions/{version}/config")
async def version_config(service: Service, name: str, version: int) -> ModelConfig:
    """Tells how Triton would be configured to serve one version."""
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
        request,
        service.body_times(),
        head_bytes=whole_number(request.headers.get(HEADER_LENGTH, "")) or 0,
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

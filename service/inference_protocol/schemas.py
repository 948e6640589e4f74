"""What the Open Inference Protocol sends as JSON; its tensors may follow in binary."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictBool, StrictInt

Datatype = Literal["FP32", "FP16", "INT64"]
Size = Annotated[StrictInt, Field(ge=0)]
_SHORT_LIST = (Field(max_length=8), FailFast())
"""Bounds the memory that a hostile request takes, the one for complaints about it included."""


class ServerMetadata(BaseModel):
    """Answer of GET /v2."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """Answer of GET /v2/health/live."""

    live: bool = True


class ServerReady(BaseModel):
    """Answer of GET /v2/health/ready."""

    ready: bool = True


class ModelReady(BaseModel):
    """Answer of GET /v2/models/{name}/ready."""

    name: str
    ready: bool = True


class TensorMetadata(BaseModel):
    """One input or output."""

    name: str
    datatype: Datatype
    shape: list[int]
    """-1 where any size will do."""


class ModelMetadata(BaseModel):
    """Answer of GET /v2/models/{name}."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class TensorConfig(BaseModel):
    """One input or output, as Triton configures it."""

    name: str
    data_type: str
    dims: list[int]


class ModelConfig(BaseModel):
    """Answer of GET /v2/models/{name}/config: Triton's ModelConfig as JSON."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[TensorConfig]
    output: list[TensorConfig]


class IndexRequest(BaseModel):
    """Body of POST /v2/repository/index."""

    ready: StrictBool = False
    """Whether to leave out what cannot be served."""


class IndexEntry(BaseModel):
    """One version of a model in the repository."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str
    """Why it cannot be served."""


class TensorParameters(BaseModel):
    """Parameters of an input or output; others than these change nothing."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    binary_data_size: Size | None = None
    """Of an input: its bytes behind the JSON, in place of `data`."""
    binary_data: StrictBool | None = None
    """Of an output: whether it comes in binary."""
    shared_memory_region: Any = None
    """Not served."""
    classification: Any = None
    """Not served."""


class RequestInput(BaseModel):
    """One input tensor."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    datatype: str
    shape: Annotated[list[Size], *_SHORT_LIST]
    parameters: TensorParameters = TensorParameters()
    data: Any = None
    """Numbers, row-major, in one list or nested as the shape."""


class RequestOutput(BaseModel):
    """One output that is asked for."""

    name: str
    parameters: TensorParameters = TensorParameters()


class RequestParameters(BaseModel):
    """Parameters of a request; others than these change nothing."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    binary_data_output: StrictBool = False
    """Whether outputs come in binary that do not say."""


class InferenceRequest(BaseModel):
    """JSON of POST /v2/models/{name}/infer; its binary tensors follow in the order of `inputs`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str | None = None
    """Comes back in the answer."""
    parameters: RequestParameters = RequestParameters()
    inputs: Annotated[list[RequestInput], *_SHORT_LIST]
    outputs: Annotated[list[RequestOutput], *_SHORT_LIST] = []
    """All, if left out."""


class ResponseParameters(BaseModel):
    """Parameters of an output."""

    binary_data_size: int
    """Its bytes behind the JSON, in place of `data`."""


class ResponseOutput(BaseModel):
    """One output tensor."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: ResponseParameters | None = None
    data: list[float] | None = None


class InferenceResponse(BaseModel):
    """JSON that answers it; binary tensors follow."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]

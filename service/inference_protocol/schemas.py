"""JSON schemas of the Open Inference Protocol; binary tensors may follow the JSON."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictBool, StrictInt, model_validator

Datatype = Literal["FP32", "FP16", "INT64"]
Size = Annotated[StrictInt, Field(ge=0)]
_SHORT_LIST = (Field(max_length=8), FailFast())
"""Bounds the memory that a hostile request and its validation errors take."""


ShortText = Annotated[str, Field(max_length=1024)]
"""Text that a response or an error may repeat."""


class ServerMetadata(BaseModel):
    """Response of GET /v2."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """Response of GET /v2/health/live."""

    live: bool = True


class ServerReady(BaseModel):
    """Response of GET /v2/health/ready."""

    ready: bool = True


class ModelReady(BaseModel):
    """Response of GET /v2/models/{name}/ready."""

    name: str
    ready: bool = True


class TensorMetadata(BaseModel):
    """Input or output of a model."""

    name: str
    datatype: Datatype
    shape: list[int]
    """Size of each axis; -1 is any size."""


class ModelMetadata(BaseModel):
    """Response of GET /v2/models/{name}."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class TensorConfig(BaseModel):
    """Input or output in a Triton configuration."""

    name: str
    data_type: str
    dims: list[int]


class ModelConfig(BaseModel):
    """Response of GET /v2/models/{name}/config: Triton's ModelConfig as JSON."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[TensorConfig]
    output: list[TensorConfig]


def _with_nulls(schema: dict[str, Any]) -> None:
    """Lets each optional field of a JSON schema be null."""
    for name, field in schema["properties"].items():
        if name not in schema.get("required", ()) and {"type", "$ref"} & field.keys():
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}]}


class _FromClient(BaseModel):
    """Part of a request; null means that a field is absent, because many clients write it so."""

    model_config = ConfigDict(json_schema_extra=_with_nulls)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: field for name, field in value.items() if field is not None}


class IndexRequest(_FromClient):
    """Body of POST /v2/repository/index."""

    ready: StrictBool = False
    """Whether to list only versions that can be served."""


class IndexEntry(BaseModel):
    """Version of a model in the repository."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str
    """Reason why the version cannot be served."""


class TensorParameters(_FromClient):
    """Parameters of an input or output; others are ignored."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    binary_data_size: Size | None = None
    """Of an input: number of its bytes after the JSON, in place of `data`."""
    binary_data: StrictBool | None = None
    """Of an output: whether to send it in binary."""
    shared_memory_region: Any = None
    """Not supported."""
    classification: Any = None
    """Not supported."""


class RequestInput(_FromClient):
    """Input tensor of a request."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: ShortText
    datatype: ShortText
    shape: Annotated[list[Size], *_SHORT_LIST]
    parameters: TensorParameters = TensorParameters()
    data: Any = None
    """Numbers in row-major order, in one list or nested according to `shape`."""


class RequestOutput(_FromClient):
    """Requested output."""

    name: ShortText
    parameters: TensorParameters = TensorParameters()


class RequestParameters(_FromClient):
    """Parameters of a request; others are ignored."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    binary_data_output: StrictBool = False
    """Whether to send outputs in binary that have no `binary_data` parameter."""


class InferenceRequest(_FromClient):
    """JSON of POST /v2/models/{name}/infer; binary tensors follow in the order of `inputs`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: ShortText | None = None
    """Id that the response repeats."""
    parameters: RequestParameters = RequestParameters()
    inputs: Annotated[list[RequestInput], *_SHORT_LIST]
    outputs: Annotated[list[RequestOutput], *_SHORT_LIST] = []
    """Requested outputs; all if omitted."""


class ResponseParameters(BaseModel):
    """Parameters of an output."""

    binary_data_size: int
    """Number of the output's bytes after the JSON, in place of `data`."""


class ResponseOutput(BaseModel):
    """Output tensor of a response."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: ResponseParameters | None = None
    data: list[float] | None = None


class InferenceResponse(BaseModel):
    """JSON of the response to an inference request; binary tensors follow."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]

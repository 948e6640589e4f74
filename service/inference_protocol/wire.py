"""Wire format of the Open Inference Protocol v2: JSON, then tensors as bytes, or either alone.

Protocol: github.com/kserve/open-inference-protocol; binary tensors are Triton's extension of it.
"""

import math
import zlib
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from model.arrays import parse_raw
from model.inference.engine import FEATURES
from service.errors import (
    MalformedBodyError,
    UnsupportedCallError,
    UnusableInputError,
    unusable_if_invalid,
)
from service.http.body import Body
from service.http.content_coding import WINDOW_BITS
from service.http.json_bounds import check_structure
from service.inference_protocol.schemas import (
    InferenceRequest,
    InferenceResponse,
    RequestInput,
    RequestOutput,
    ResponseOutput,
    ResponseParameters,
)

HEADER_LENGTH = "Inference-Header-Content-Length"
"""Header with the number of bytes of JSON at the start of a body."""
DTYPES: dict[str, np.dtype[np.generic]] = {
    "FP32": np.dtype("<f4"),
    "FP16": np.dtype("<f2"),
    "INT64": np.dtype("<i8"),
}
_OTHER_LISTS = 100
"""Lists in the JSON beside those of nested data."""
_FASTEST = 1
"""Compression level; logits hardly shrink at higher levels."""


@dataclass(frozen=True, slots=True)
class InputTensor:
    """Input tensor of a request; only the position of its bytes is checked."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: object
    """Bytes as a memoryview, or the value of `data` in the JSON."""

    def array(self) -> NDArray[np.generic]:
        """Returns the tensor, without a copy if its bytes are aligned.

        Raises:
            UnusableInputError: the datatype is not in DTYPES, or JSON data are not numbers of this
                shape.
            FeatureError: the number of bytes does not match shape and datatype.
        """
        dtype = DTYPES.get(self.datatype)
        if dtype is None:
            raise UnusableInputError(
                f"expected {self.name} as one of {', '.join(DTYPES)}, got {self.datatype!r}"
            )
        if isinstance(self.data, memoryview):
            return np.require(parse_raw(self.data, shape=self.shape, dtype=dtype), None, "A")
        numbers = _flat(self.data, self.shape, self.name)
        if not set(map(type, numbers)) <= ({int} if dtype.kind == "i" else {int, float}):
            raise UnusableInputError(
                f"expected numbers of type {self.datatype} in the data of {self.name}"
            )
        try:
            with np.errstate(over="ignore"):  # becomes Inf, which is refused later
                return np.array(numbers, dtype=dtype).reshape(self.shape)
        except OverflowError:
            raise UnusableInputError(
                f"the data of {self.name} contain a number out of range of {self.datatype}"
            ) from None


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """Request for inference."""

    id: str | None
    """Id that the response repeats."""
    inputs: tuple[InputTensor, ...]
    """Inputs in the order of the request."""
    outputs: tuple[RequestOutput, ...]
    """Requested outputs; all if empty."""
    binary: bool
    """Whether to send outputs in binary by default."""


def response_encoding(accepted: str) -> str | None:
    """Returns the encoding that header Accept-Encoding requests, or None.

    Only a header with exactly one encoding counts as a request. Most HTTP clients always list all
    that they can read, which is no wish to wait for compression.
    """
    accepted = accepted.strip().lower()
    return accepted if accepted in WINDOW_BITS else None


def compress(content: bytes, encoding: str) -> bytes:
    """Returns a body in an encoding that `response_encoding` returned."""
    return zlib.compress(content, _FASTEST, WINDOW_BITS[encoding])


def parse_request(
    content: Body, header_length: str | None, feature_dim: int, *, max_snippets: int
) -> ParsedRequest:
    """Returns the request in a body.

    Args:
        content: the body.
        header_length: value of header Inference-Header-Content-Length. None: all of the body is
            JSON. 0: the body is one video of FP32 features.
        feature_dim: channels of such features.
        max_snippets: most snippets of all videos together.

    Raises:
        MalformedBodyError: the body is not JSON, or its length is not the declared one.
        UnusableInputError: fields are missing, too many or of a wrong type.
        UnsupportedCallError: the request requires shared memory or classification.
    """
    body = memoryview(content)
    length = _length(header_length, len(body))
    if length == 0 and header_length is not None:
        return _bare(body, feature_dim)
    # Nested data have a list for each snippet and one for each video.
    check_structure(body[:length], max_lists=2 * max_snippets + _OTHER_LISTS)
    try:
        fields = orjson.loads(body[:length])
    except orjson.JSONDecodeError as error:
        raise MalformedBodyError(f"the request is not JSON: {error}") from None
    with unusable_if_invalid():
        request = InferenceRequest.model_validate(fields)
    _refuse_unsupported(request)
    return ParsedRequest(
        request.id,
        tuple(_tensors(request.inputs, body[length:])),
        tuple(request.outputs),
        request.parameters.binary_data_output,
    )


def write_response(
    response: InferenceResponse, tensors: dict[str, NDArray[np.float32]], binary: frozenset[str]
) -> tuple[bytes, int | None]:
    """Returns the body of a response and the number of its bytes that are JSON; None for all.

    Args:
        response: the response without its outputs.
        tensors: outputs by name.
        binary: names of the outputs to send in binary.
    """
    outputs = [_output(name, tensor, name in binary) for name, tensor in tensors.items()]
    whole = response.model_dump(exclude_none=True) | {"outputs": outputs}
    header = orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)
    if not binary:
        return header, None
    pieces = (_little_endian(tensors[name]) for name in tensors if name in binary)
    return b"".join([header, *pieces]), len(header)


def _length(header_length: str | None, available: int) -> int:
    if header_length is None:
        return available
    text = header_length.strip()
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        raise MalformedBodyError(f"expected a whole number in {HEADER_LENGTH}, got {text[:40]!r}")
    if int(text) > available:
        raise MalformedBodyError(
            f"{HEADER_LENGTH} is {text}, but the body has only {available} bytes"
        )
    return int(text)


def _bare(body: memoryview, feature_dim: int) -> ParsedRequest:
    snippet_bytes = feature_dim * DTYPES["FP32"].itemsize
    snippets, rest = divmod(len(body), snippet_bytes)
    if rest:
        raise MalformedBodyError(
            f"a body without JSON is one video of FP32 features with {feature_dim} channels: "
            f"expected a multiple of {snippet_bytes} bytes, got {len(body)}"
        )
    tensor = InputTensor(FEATURES, "FP32", (1, snippets, feature_dim), body)
    return ParsedRequest(None, (tensor,), (), binary=True)


def _refuse_unsupported(request: InferenceRequest) -> None:
    tensors: list[RequestInput | RequestOutput] = [*request.inputs, *request.outputs]
    for tensor in tensors:
        if tensor.parameters.shared_memory_region is not None:
            raise UnsupportedCallError(
                f"{tensor.name} is in shared memory, which is not supported; send it in the body"
            )
        if tensor.parameters.classification is not None:
            raise UnsupportedCallError(
                f"classification of {tensor.name} is not supported; POST /localize returns classes"
            )


def _tensors(inputs: list[RequestInput], binary: memoryview) -> list[InputTensor]:
    """Returns the inputs, each with its own bytes."""
    tensors, start = [], 0
    for source in inputs:
        size = source.parameters.binary_data_size
        data = source.data
        if (size is None) == (data is None):
            raise UnusableInputError(
                f"expected {source.name} with either data or parameters.binary_data_size"
            )
        if size is not None:
            data = binary[start : start + size]
            start += size
        tensors.append(InputTensor(source.name, source.datatype, tuple(source.shape), data))
    if start != len(binary):
        raise MalformedBodyError(
            f"the inputs declare {start} bytes after the JSON, but there are {len(binary)}; "
            f"{HEADER_LENGTH} is the length of the JSON"
        )
    return tensors


def _flat(data: object, shape: tuple[int, ...], name: str) -> list[Any]:
    """Returns the numbers of a list that is flat, or nested according to the shape."""
    nested = isinstance(data, list) and bool(data) and isinstance(data[0], list)
    level: list[Any] = [data]
    for size in shape if nested else (math.prod(shape),):
        if not all(isinstance(part, list) and len(part) == size for part in level):
            raise UnusableInputError(
                f"expected the data of {name} as one list of {math.prod(shape)} numbers, or nested "
                f"according to its shape {list(shape)}"
            )
        level = list(chain.from_iterable(level))
    return level


def _output(name: str, tensor: NDArray[np.float32], binary: bool) -> dict[str, object]:
    output = ResponseOutput(name=name, datatype="FP32", shape=list(tensor.shape))
    if binary:
        output.parameters = ResponseParameters(binary_data_size=tensor.nbytes)
    whole = output.model_dump(exclude_none=True)
    # As a numpy array, which orjson writes a hundred times faster than a list.
    return whole if binary else whole | {"data": np.ascontiguousarray(tensor).ravel()}


def _little_endian(tensor: NDArray[np.float32]) -> memoryview:
    return np.ascontiguousarray(tensor, dtype=DTYPES["FP32"]).data

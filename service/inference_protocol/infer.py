"""Runs the network for POST /v2/models/{name}/infer. Runs in a worker thread.

Axes: B videos, T snippets, D feature channels, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from model.errors import FeatureError
from model.inference.engine import CAS, FEATURES, LENGTHS
from model.predict import check_finite
from service.errors import UnusableInputError
from service.http.body import Body
from service.http.content_coding import content_coding, decompress
from service.inference_protocol.schemas import InferenceResponse
from service.inference_protocol.wire import (
    HEADER_LENGTH,
    InputTensor,
    ParsedRequest,
    compress,
    parse_request,
    response_encoding,
    write_response,
)
from service.localize.stop import Stop
from service.models.catalog import Catalog


@dataclass(frozen=True, slots=True)
class ReceivedInference:
    """Complete request, not yet parsed."""

    model: str
    """Name of the model."""
    version: int | None
    """Version of the model; the newest if None."""
    content: Body
    """Body of the request."""
    encoding: str = ""
    """Header Content-Encoding."""
    accepted: str = ""
    """Header Accept-Encoding."""
    header_length: str | None = None
    """Header Inference-Header-Content-Length."""


@dataclass(frozen=True, slots=True)
class InferenceAnswer:
    """Response to a request for inference."""

    content: bytes
    """Body of the response."""
    headers: dict[str, str]
    """Headers of the response."""
    model: str
    """NAME/VERSION of the model."""
    snippets: int
    """Snippets of all videos together, padding included."""
    stages_s: Mapping[str, float]
    """Time of each stage by name."""


def infer(
    received: ReceivedInference, catalog: Catalog, stop: Stop, *, max_snippets: int, max_bytes: int
) -> InferenceAnswer:
    """Returns the network's output for a request.

    Args:
        received: the request.
        catalog: served models.
        stop: ends the run early when set.
        max_snippets: limit for the snippets of all videos together, padding included.
        max_bytes: limit for the decompressed body.

    Raises:
        ServiceError, FeatureError: raised by `Catalog.find`, `parse_request` and
            `InputTensor.array`; or inputs or outputs are unknown or do not match each other.
    """
    start = perf_counter()
    entry = catalog.find(received.model, received.version)
    assert entry.engine is not None
    feature_dim = entry.spec.feature_dim
    content = decompress(received.content, content_coding(received.encoding), max_bytes=max_bytes)
    request = parse_request(content, received.header_length, feature_dim, max_snippets=max_snippets)
    binary = _binary_outputs(request)
    inputs = _named(request.inputs)
    features_BTD = _features(inputs[FEATURES], feature_dim, max_snippets)
    lengths_B = _lengths(inputs.get(LENGTHS), features_BTD)
    parsed = perf_counter()
    cas_BTC = stop.run(partial(entry.engine.cas_batch, features_BTD, lengths_B))
    stages_s = {"parse": parsed - start, "inference": perf_counter() - parsed}
    check_finite(cas_BTC, features_BTD)
    published = entry.published
    response = InferenceResponse(
        model_name=published.name, model_version=str(published.version), id=request.id, outputs=[]
    )
    body, json_bytes = write_response(response, {CAS: cas_BTC}, binary)
    content, headers = _encode(body, json_bytes, response_encoding(received.accepted))
    snippets = cas_BTC.shape[0] * cas_BTC.shape[1]
    return InferenceAnswer(content, headers, entry.name, snippets, stages_s)


def _encode(
    body: bytes, json_bytes: int | None, encoding: str | None
) -> tuple[bytes, dict[str, str]]:
    headers = {"Content-Type": "application/json"}
    if json_bytes is not None:
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(json_bytes)}
    if encoding:
        return compress(body, encoding), headers | {"Content-Encoding": encoding}
    return body, headers


def _binary_outputs(request: ParsedRequest) -> frozenset[str]:
    """Returns the names of the outputs to send in binary."""
    names = [output.name for output in request.outputs]
    if names not in ([], [CAS]):
        raise UnusableInputError(f"expected the output {CAS!r}, got {names}")
    choices = [output.parameters.binary_data for output in request.outputs]
    binary = request.binary if choices in ([], [None]) else choices[0]
    return frozenset({CAS} if binary else ())


def _named(tensors: tuple[InputTensor, ...]) -> dict[str, InputTensor]:
    names = [tensor.name for tensor in tensors]
    if sorted(names) not in ([FEATURES], [FEATURES, LENGTHS]):
        raise UnusableInputError(
            f"expected the input {FEATURES!r} and optionally {LENGTHS!r}, got {names}"
        )
    return dict(zip(names, tensors, strict=True))


def _features(tensor: InputTensor, feature_dim: int, max_snippets: int) -> NDArray[np.float32]:
    """Returns checked features (B, T, D)."""
    _expect(tensor, "FP32", "FP16")
    if len(tensor.shape) != 3 or tensor.shape[2] != feature_dim or 0 in tensor.shape:
        raise FeatureError(
            f"expected features of shape [videos, snippets, {feature_dim}], at least one of each, "
            f"got {list(tensor.shape)}"
        )
    snippets = tensor.shape[0] * tensor.shape[1]
    if snippets > max_snippets:
        raise FeatureError(
            f"expected at most {max_snippets} snippets a request, padding included, got {snippets}"
        )
    features_BTD = np.asarray(tensor.array(), dtype=np.float32)
    if not np.isfinite(features_BTD).all():
        bad_BT = ~np.isfinite(features_BTD).all(axis=2)
        video, snippet = np.unravel_index(np.argmax(bad_BT), bad_BT.shape)
        raise FeatureError(
            f"expected finite features, got NaN or Inf in snippet {snippet} of video {video}"
        )
    return features_BTD


def _lengths(tensor: InputTensor | None, features_BTD: NDArray[np.float32]) -> NDArray[np.int64]:
    """Returns checked lengths (B,); without the input, every video has all snippets."""
    videos, snippets = features_BTD.shape[:2]
    if tensor is None:
        return np.full(videos, snippets, dtype=np.int64)
    _expect(tensor, "INT64")
    if tensor.shape != (videos,):
        raise FeatureError(f"expected lengths of shape [{videos}], got {list(tensor.shape)}")
    lengths_B = np.asarray(tensor.array(), dtype=np.int64)
    if lengths_B.min() < 1 or lengths_B.max() > snippets:
        raise FeatureError(
            f"expected lengths from 1 to {snippets}, got from {lengths_B.min()} to "
            f"{lengths_B.max()}"
        )
    return lengths_B


def _expect(tensor: InputTensor, *datatypes: str) -> None:
    if tensor.datatype not in datatypes:
        raise UnusableInputError(
            f"expected {tensor.name} as {' or '.join(datatypes)}, got {tensor.datatype!r}"
        )

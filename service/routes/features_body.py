"""Parses the bodies that hold features: JSON lists, base64, .npy and raw values.

Runs in a worker thread, because large JSON takes seconds.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from ecm_client.schemas import LocalizeOptions, LocalizeRequest
from model.arrays import parse_npy, parse_raw
from model.errors import FeatureError
from service.errors import MalformedBodyError, UnusableInputError, unusable_if_invalid
from service.http.body import Body
from service.http.content_coding import decompress
from service.http.json_bounds import check_structure
from service.routes.json_features import parse_matrix
from service.routes.media_types import JSON, RAW

REFERENCE_BYTES: Final = 32 * 1024
"""Longest JSON body that may reference a video: a URI has at most 4096 characters. The event loop
parses JSON up to this length in less than 0.3 ms."""
FEATURES: Final = "features"
"""Field of a JSON body with the features as lists."""
_DTYPES: dict[str, np.dtype[np.generic]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}
_MAX_FIELDS = 64
_OTHER_LISTS = 100
"""Opening brackets allowed beside one for each snippet, including those in strings."""


@dataclass(frozen=True, slots=True)
class FeaturesBody:
    """Complete body that holds features; not yet parsed."""

    media_type: str
    """Content type without parameters."""
    content: Body
    """Bytes of the body, or of the file in a form."""
    options: LocalizeOptions
    """Options from the query and from the other fields of a form."""
    shape: str = ""
    """Header X-Shape."""
    dtype: str = ""
    """Header X-Dtype."""
    coding: str = ""
    """Content coding; empty if the body was sent as it is."""
    max_bytes: int = 0
    """Longest body once it is unpacked."""

    def parse(self, max_snippets: int) -> tuple[NDArray[np.generic], LocalizeOptions]:
        """Returns the features, not yet checked, and the options.

        Args:
            max_snippets: longest video. JSON with more lists is refused before it is parsed.

        Raises:
            MalformedBodyError: the body is not JSON or not base64, or does not match its coding.
            BodyTooLargeError: the unpacked body is too long.
            UnusableInputError: an option, field or header is invalid.
            FeatureError: the features cannot be read.
        """
        content = decompress(self.content, self.coding, max_bytes=self.max_bytes)
        if self.media_type == JSON:
            return _parse_json(content, self.options, max_snippets)
        if self.media_type == RAW:
            return _parse_raw(content, self.shape, self.dtype), self.options
        return parse_npy(memoryview(content)), self.options


def parse_fields(content: Body) -> dict[str, Any]:
    """Returns the fields of a JSON object.

    Raises:
        MalformedBodyError: the body is not JSON.
        UnusableInputError: the body is not an object.
    """
    try:
        fields = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise MalformedBodyError(f"the body is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise UnusableInputError(
            'expected a JSON object like {"features": [[...]]} or {"video": {"uri": "..."}}'
        )
    return fields


def check_fields(
    fields: dict[str, Any], options: LocalizeOptions, *, has_lists: bool
) -> LocalizeRequest:
    """Returns the fields of a JSON body as a request; they override the options of the query.

    Args:
        fields: all fields except `features`.
        options: options from the query.
        has_lists: whether the body has features as lists.

    Raises:
        UnusableInputError: a field is invalid, or there is not exactly one source of features.
    """
    if len(fields) > _MAX_FIELDS:
        raise UnusableInputError(f"expected at most {_MAX_FIELDS} fields, got {len(fields)}")
    with unusable_if_invalid():
        request = LocalizeRequest.model_validate(options.model_dump(exclude_unset=True) | fields)
    if has_lists + (request.features_b64 is not None) + (request.video is not None) != 1:
        raise UnusableInputError("expected one of features, features_b64 with shape, and video")
    return request


def _parse_json(
    content: Body, options: LocalizeOptions, max_snippets: int
) -> tuple[NDArray[np.generic], LocalizeOptions]:
    lists_count = check_structure(content, max_lists=max_snippets + _OTHER_LISTS)
    matrix = parse_matrix(content, FEATURES, lists=lists_count)
    if matrix:
        fields, features = matrix
        return features, _features_request(fields, options, has_lists=True)
    fields = parse_fields(content)
    lists = fields.pop(FEATURES, None)
    request = _features_request(fields, options, has_lists=lists is not None)
    return (_from_base64(request) if lists is None else _from_lists(lists)), request


def _features_request(
    fields: dict[str, Any], options: LocalizeOptions, *, has_lists: bool
) -> LocalizeRequest:
    request = check_fields(fields, options, has_lists=has_lists)
    if request.video:  # shorter references were recognized when they arrived
        raise UnusableInputError(
            f"expected at most {REFERENCE_BYTES} bytes of JSON for a reference to a video"
        )
    return request


def _from_lists(lists: Any) -> NDArray[np.generic]:
    rows = lists if isinstance(lists, list) else [lists]
    if not all(isinstance(row, list) and set(map(type, row)) <= {int, float} for row in rows):
        # Refused before numpy sees them: numpy would give every element the size of the longest
        # string.
        raise FeatureError("expected features as lists of numbers, [[...], ...]")
    try:
        features = np.array(rows, dtype=np.float64)
    except (ValueError, OverflowError):
        raise FeatureError("expected features as lists of equally many numbers") from None
    return features.astype(np.float32) if features.size == 0 else features


def _from_base64(request: LocalizeRequest) -> NDArray[np.generic]:
    if request.shape is None:
        raise UnusableInputError("features_b64 needs shape: [snippets, channels]")
    try:
        content = base64.b64decode(request.features_b64 or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedBodyError(f"features_b64 is not base64: {error}") from None
    return parse_raw(content, shape=request.shape, dtype=_DTYPES[request.dtype])


def _parse_raw(content: Body, shape: str, dtype: str) -> NDArray[np.generic]:
    try:
        snippets, channels = (int(size) for size in shape.split(","))
    except ValueError:
        raise UnusableInputError(
            f"expected header X-Shape: SNIPPETS,CHANNELS like 750,2048, got {shape!r}"
        ) from None
    if dtype not in _DTYPES:
        raise UnusableInputError(f"expected header X-Dtype: float32 or float16, got {dtype!r}")
    return parse_raw(content, shape=(snippets, channels), dtype=_DTYPES[dtype])

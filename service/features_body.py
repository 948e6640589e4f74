"""The four forms in which POST /localize takes features, read into one."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from fastapi import Request
from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from model.errors import FeatureError
from model.features import parse_npy, parse_raw
from service.errors import (
    MalformedBodyError,
    UnsupportedMediaError,
    UnusableInputError,
    describe_validation,
)
from service.schemas import LocalizeOptions, LocalizeRequest

JSON, NPY, RAW, FORM = (
    "application/json",
    "application/x-npy",
    "application/octet-stream",
    "multipart/form-data",
)
DTYPES: dict[str, np.dtype[np.generic]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}
_LISTS = "features"
_FIELD = "file"


@dataclass(frozen=True, slots=True)
class ReceivedBody:
    """A body that has arrived whole and is not yet parsed."""

    media_type: str
    """Content type without parameters."""
    content: bytes
    """The bytes; of a form, those of its file."""
    options: LocalizeOptions
    """From the query, and from a form's other fields."""
    shape: str = ""
    """Header X-Shape."""
    dtype: str = ""
    """Header X-Dtype."""

    def parse(self) -> tuple[NDArray[np.generic], LocalizeOptions]:
        """Returns the features, not yet checked, and the options.

        Raises:
            MalformedBodyError: not JSON.
            UnusableInputError: an option or field that cannot be used.
            FeatureError: features that cannot be read.
        """
        if self.media_type == JSON:
            return _parse_json(self.content, self.options)
        if self.media_type == RAW:
            return _parse_raw(self.content, self.shape, self.dtype), self.options
        return parse_npy(memoryview(self.content)), self.options


async def receive_body(request: Request, options: LocalizeOptions) -> ReceivedBody:
    """Returns a request's body once all of it is there.

    Raises:
        UnsupportedMediaError: a content type that is not read.
        MalformedBodyError: a broken form, or one without a file.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == FORM:
        return await _receive_form(request, options)
    if media_type not in (JSON, NPY, RAW):
        raise UnsupportedMediaError(
            f"expected content type {JSON}, {NPY}, {RAW} or {FORM}, got {media_type or 'none'}"
        )
    headers = request.headers
    return ReceivedBody(
        media_type,
        await request.body(),
        options,
        shape=headers.get("x-shape", ""),
        dtype=headers.get("x-dtype", "float32"),
    )


async def _receive_form(request: Request, options: LocalizeOptions) -> ReceivedBody:
    try:
        async with request.form(max_files=1, max_fields=32) as form:
            file = form.get(_FIELD)
            if not isinstance(file, UploadFile):
                raise MalformedBodyError(f"expected an .npy file in the form field {_FIELD!r}")
            fields = {name: value for name, value in form.items() if name != _FIELD}
            return ReceivedBody(NPY, await file.read(), _override(options, fields))
    except HTTPException as error:  # how Starlette tells of a form it cannot parse
        raise MalformedBodyError(f"the form cannot be read: {error.detail}") from error


def _override(options: LocalizeOptions, given: dict[str, Any]) -> LocalizeOptions:
    try:
        return LocalizeOptions.model_validate(options.model_dump(exclude_unset=True) | given)
    except ValidationError as error:
        raise UnusableInputError(describe_validation(error.errors())) from None


def _parse_json(
    content: bytes, options: LocalizeOptions
) -> tuple[NDArray[np.generic], LocalizeOptions]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise MalformedBodyError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UnusableInputError('expected a JSON object like {"features": [[...]]}')
    # The lists go to numpy as they are; checking each number by itself takes three times as long.
    lists = body.pop(_LISTS, None)
    try:
        request = LocalizeRequest.model_validate(options.model_dump(exclude_unset=True) | body)
    except ValidationError as error:
        raise UnusableInputError(describe_validation(error.errors())) from None
    if (lists is None) == (request.features_b64 is None):
        raise UnusableInputError("expected either features or features_b64 with shape")
    features = _from_base64(request) if lists is None else _from_lists(lists)
    return features, request


def _from_lists(lists: Any) -> NDArray[np.generic]:
    try:
        features = np.array(lists)
    except (ValueError, OverflowError):
        raise FeatureError("expected features as lists of equally many numbers") from None
    if features.size == 0:
        return features.astype(np.float32)
    if features.dtype.kind not in "iuf":
        raise FeatureError("expected features as lists of numbers, got something else among them")
    return features.astype(np.float64)


def _from_base64(request: LocalizeRequest) -> NDArray[np.generic]:
    if request.shape is None:
        raise UnusableInputError("features_b64 needs shape: [snippets, channels]")
    try:
        content = base64.b64decode(request.features_b64 or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedBodyError(f"features_b64 is not base64: {error}") from None
    return parse_raw(content, shape=request.shape, dtype=DTYPES[request.dtype])


def _parse_raw(content: bytes, shape: str, dtype: str) -> NDArray[np.generic]:
    try:
        snippets, channels = (int(part) for part in shape.split(","))
    except ValueError:
        raise UnusableInputError(
            f"expected header X-Shape: SNIPPETS,CHANNELS like 750,2048, got {shape!r}"
        ) from None
    if dtype not in DTYPES:
        raise UnusableInputError(f"expected header X-Dtype: float32 or float16, got {dtype!r}")
    return parse_raw(content, shape=(snippets, channels), dtype=DTYPES[dtype])

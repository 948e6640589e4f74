"""The forms in which features and videos come, read into one."""

import base64
import binascii
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from fastapi import Request
from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from ecm_client.schemas import LocalizeOptions, LocalizeRequest
from model.arrays import parse_npy, parse_raw
from model.errors import FeatureError
from service.errors import (
    BodyTooLargeError,
    MalformedBodyError,
    UnsupportedMediaError,
    UnusableInputError,
    describe_validation,
)
from service.http.body import Body, receive_whole
from service.routes.json_features import parse_matrix
from service.videos.uploads import Upload, Uploads

JSON, NPY, RAW, FORM = (
    "application/json",
    "application/x-npy",
    "application/octet-stream",
    "multipart/form-data",
)
VIDEO = "video/"
"""How the content types of videos begin."""
DTYPES: dict[str, np.dtype[np.generic]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}
_LISTS = "features"
_FIELD = "file"
_NPY_MAGIC = b"\x93NUMPY"
_PART_BYTES = 1024 * 1024
_CACHED_BYTES = 256 * 1024
_MOST_FIELDS = 64
_OTHER_LISTS = 100
"""Lists that a body may hold besides one for each snippet, brackets in texts included."""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """A video to work on: one that is there, or a reference to one."""

    options: LocalizeOptions
    """What else was asked for."""
    uri: str | None = None
    """Where it is to be fetched from."""
    upload: Upload | None = None
    """Its file, if it came with the request."""


@dataclass(frozen=True, slots=True)
class ReceivedBody:
    """A body without a video's file that has arrived whole and is not yet parsed."""

    media_type: str
    """Content type without parameters."""
    content: Body
    """The bytes; of a form, those of its file."""
    options: LocalizeOptions
    """From the query, and from a form's other fields."""
    shape: str = ""
    """Header X-Shape."""
    dtype: str = ""
    """Header X-Dtype."""

    def parse(
        self, max_snippets: int
    ) -> tuple[NDArray[np.generic], LocalizeOptions] | VideoRequest:
        """Returns the features, not yet checked, and the options; or the video that is named.

        Args:
            max_snippets: longest video, so that JSON with more lists than that is not parsed: an
                empty list takes twenty times the memory of its text.

        Raises:
            MalformedBodyError: not JSON.
            UnusableInputError: an option or field that cannot be used.
            FeatureError: features that cannot be read.
        """
        if self.media_type == JSON:
            lists = _count_lists(self.content, max_snippets)
            return _parse_json(self.content, self.options, lists)
        if self.media_type == RAW:
            return _parse_raw(self.content, self.shape, self.dtype), self.options
        return parse_npy(memoryview(self.content)), self.options


async def receive_body(
    request: Request, uploads: Callable[[], Uploads]
) -> ReceivedBody | VideoRequest:
    """Returns a request's body once all of it is there; a video goes to the disk as it comes.

    Args:
        request: the request, whose query may have options.
        uploads: gives what takes a video's file, or refuses it.

    Raises:
        UnsupportedMediaError: a content type that is not read.
        MalformedBodyError: a broken form, or one without a file.
        UnusableInputError: an option that cannot be used, or a video that cannot be taken.
        VideosNotServedError, DiskFullError: the video cannot be taken.
    """
    options = _override(LocalizeOptions(), dict(request.query_params))
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type.startswith(VIDEO):
        upload = await uploads().receive(request.stream())
        return VideoRequest(options, upload=upload)
    if media_type == FORM:
        return await _receive_form(request, options, uploads)
    if media_type not in (JSON, NPY, RAW):
        raise UnsupportedMediaError(
            f"expected content type {JSON}, {NPY}, {RAW}, {FORM} or {VIDEO}..., got "
            f"{media_type or 'none'}"
        )
    headers = request.headers
    return ReceivedBody(
        media_type,
        await receive_whole(request),
        options,
        shape=headers.get("x-shape", ""),
        dtype=headers.get("x-dtype", "float32"),
    )


async def _receive_form(
    request: Request, options: LocalizeOptions, uploads: Callable[[], Uploads]
) -> ReceivedBody | VideoRequest:
    try:
        async with request.form(max_files=1, max_fields=32) as form:
            file = form.get(_FIELD)
            if not isinstance(file, UploadFile):
                raise MalformedBodyError(
                    f"expected an .npy file or a video in the form field {_FIELD!r}"
                )
            fields = {name: value for name, value in form.items() if name != _FIELD}
            given = _override(options, fields)
            magic = await file.read(len(_NPY_MAGIC))
            await file.seek(0)
            if magic == _NPY_MAGIC or Path(file.filename or "").suffix.lower() == ".npy":
                limit = request.app.state.service.settings.max_body_bytes
                if (file.size or 0) > limit:
                    raise BodyTooLargeError(
                        f"the features have {file.size} bytes, the limit is {limit}; send float16, "
                        "or the video in parts"
                    )
                return ReceivedBody(NPY, await file.read(), given)
            upload = await uploads().receive(_parts(file))
            return VideoRequest(given, upload=upload)
    except HTTPException as error:  # how Starlette tells of a form it cannot parse
        raise MalformedBodyError(f"the form cannot be read: {error.detail}") from error


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(_PART_BYTES):
        yield part


def _override(options: LocalizeOptions, given: dict[str, Any]) -> LocalizeOptions:
    try:
        return LocalizeOptions.model_validate(options.model_dump(exclude_unset=True) | given)
    except ValidationError as error:
        raise UnusableInputError(describe_validation(error.errors())) from None


def _count_lists(content: Body, max_snippets: int) -> int:
    flat = np.frombuffer(content, dtype=np.uint8)
    parts = (flat[start : start + _CACHED_BYTES] for start in range(0, len(flat), _CACHED_BYTES))
    lists = sum(int(np.count_nonzero(part == ord("["))) for part in parts)
    if lists > max_snippets + _OTHER_LISTS:
        raise FeatureError(f"expected at most {max_snippets} snippets, got {lists} lists")
    return lists


def _parse_json(
    content: Body, options: LocalizeOptions, count: int
) -> tuple[NDArray[np.generic], LocalizeOptions] | VideoRequest:
    matrix = parse_matrix(content, _LISTS, lists=count)
    body, lists = matrix or _parse_slowly(content)
    if len(body) > _MOST_FIELDS:
        raise UnusableInputError(f"expected at most {_MOST_FIELDS} fields, got {len(body)}")
    try:
        request = LocalizeRequest.model_validate(options.model_dump(exclude_unset=True) | body)
    except ValidationError as error:
        raise UnusableInputError(describe_validation(error.errors())) from None
    sources = (lists, request.features_b64, request.video)
    if sum(source is not None for source in sources) != 1:
        raise UnusableInputError("expected one of features, features_b64 with shape, and video")
    if request.video:
        return VideoRequest(request, uri=request.video.uri)
    if matrix:
        return matrix[1], request
    return (_from_base64(request) if lists is None else _from_lists(lists)), request


def _parse_slowly(content: Body) -> tuple[dict[str, Any], Any]:
    """Returns the fields of a body, and apart from them what stands in place of the matrix."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise MalformedBodyError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UnusableInputError(
            'expected a JSON object like {"features": [[...]]} or {"video": {"uri": "..."}}'
        )
    return body, body.pop(_LISTS, None)


def _from_lists(lists: Any) -> NDArray[np.generic]:
    rows = lists if isinstance(lists, list) else [lists]
    if not all(isinstance(row, list) and set(map(type, row)) <= {int, float} for row in rows):
        # Told apart here: numpy would make room for the longest of texts in every place.
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
    return parse_raw(content, shape=request.shape, dtype=DTYPES[request.dtype])


def _parse_raw(content: Body, shape: str, dtype: str) -> NDArray[np.generic]:
    try:
        snippets, channels = (int(part) for part in shape.split(","))
    except ValueError:
        raise UnusableInputError(
            f"expected header X-Shape: SNIPPETS,CHANNELS like 750,2048, got {shape!r}"
        ) from None
    if dtype not in DTYPES:
        raise UnusableInputError(f"expected header X-Dtype: float32 or float16, got {dtype!r}")
    return parse_raw(content, shape=(snippets, channels), dtype=DTYPES[dtype])

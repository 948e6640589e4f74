"""Receives the body of POST /localize and POST /jobs: features, or a video.

The kind is decided here, once, by content type. JSON is decided by its field `video`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from ecm_client.schemas import LocalizeOptions
from service.errors import (
    BodyTooLargeError,
    MalformedBodyError,
    UnsupportedCodingError,
    UnsupportedMediaError,
    UnusableInputError,
    unusable_if_invalid,
)
from service.http.admission import Ticket
from service.http.body import Body, declared_bytes, receive_whole
from service.http.content_coding import content_coding, decompress
from service.http.gate import is_unnamed
from service.http.json_bounds import check_structure
from service.routes.features_body import (
    FEATURES,
    REFERENCE_BYTES,
    FeaturesBody,
    check_fields,
    parse_fields,
)
from service.routes.media_types import FORM, JSON, MAGIC_BYTES, NPY, RAW, VIDEO, looks_like_video
from service.state import ServiceState
from service.videos.video_request import VideoRequest

FILE_NAME: Final = "X-File-Name"
"""Header with the percent-encoded name of a file that is the body itself."""
_FIELD = "file"
_NPY_MAGIC = b"\x93NUMPY"
_PART_BYTES = 1024 * 1024
_MAX_FIELDS = 32
_FIELD_BYTES = 64 * 1024
"""Longest field of a form; all of them together fit `UPLOAD_BYTES`."""


RoomCheck: TypeAlias = Callable[[], Awaitable[None]]
"""Raises an error if there is no room for one more video."""


async def receive_body(
    request: Request, service: ServiceState, check_room: RoomCheck
) -> FeaturesBody | VideoRequest:
    """Returns a request's body once it is complete; an uploaded video is written to disk.

    Options come from the query, and from the other fields of a form or a JSON object.

    Args:
        request: a request that `Gate` admitted.
        service: the state of the service.
        check_room: called as soon as the body is known to be an upload, before the rest is read. A
            form may hold features or a video, unless it is longer than features may be.

    Raises:
        UnsupportedMediaError: the content type or the content coding is not supported.
        MalformedBodyError: a form is broken or has no file, or the body is not JSON.
        UnusableInputError: an option or a video cannot be used.
        VideosNotServedError, DiskFullError: the video cannot be accepted.
    """
    options = _override(LocalizeOptions(), dict(request.query_params))
    media_type = _media_type(request)
    coding = content_coding(request.headers.get("content-encoding", ""))
    if coding and (media_type.startswith(VIDEO) or media_type == FORM):
        raise UnsupportedCodingError(
            f"expected no Content-Encoding with {media_type}, got {coding}"
        )
    if media_type.startswith(VIDEO):
        await check_room()
        return await _receive_video(request, service, options, request.stream())
    if is_unnamed(request.headers):
        return await _receive_unnamed(request, service, options, check_room)
    if media_type == FORM:
        if (declared_bytes(request.headers) or 0) > service.settings.max_body_bytes:
            await check_room()
        return await _receive_form(request, service, options)
    if media_type in (JSON, NPY, RAW):
        max_bytes = service.settings.max_body_bytes
        return await _receive_features(request, options, media_type, coding, max_bytes)
    raise UnsupportedMediaError(
        f"expected content type {JSON}, {NPY}, {RAW}, {FORM} or {VIDEO}..., got "
        f"{media_type or 'none'}"
    )


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _receive_features(
    request: Request, options: LocalizeOptions, media_type: str, coding: str, max_bytes: int
) -> FeaturesBody | VideoRequest:
    """Receives a body in memory: features, or JSON that references a video."""
    content = await receive_whole(request)
    if media_type == JSON and (video := _referenced_video(content, coding, options)):
        return video
    shape = request.headers.get("x-shape", "")
    dtype = request.headers.get("x-dtype", "float32")
    return FeaturesBody(media_type, content, options, shape, dtype, coding, max_bytes)


async def _receive_video(
    request: Request, service: ServiceState, options: LocalizeOptions, parts: AsyncIterator[bytes]
) -> VideoRequest:
    uploads = service.served_videos().uploads
    request.state.ticket.upload()
    upload = await uploads.receive(parts)
    return VideoRequest(options, upload=upload, name=_file_name(request))


def _file_name(request: Request) -> str | None:
    """Returns the file name in a header, percent-encoded because headers are ASCII."""
    name = request.headers.get(FILE_NAME)
    return None if name is None else unquote(name, errors="replace")


async def _receive_unnamed(
    request: Request, service: ServiceState, options: LocalizeOptions, check_room: RoomCheck
) -> VideoRequest:
    """Receives a video that is recognized by its first bytes.

    Raises:
        UnusableInputError: the body is no video, and raw features need the header X-Shape.
    """
    async with aclosing(request.stream()) as parts:
        start = b""
        async for part in parts:
            start += part
            if len(start) >= MAGIC_BYTES:
                break
        if not looks_like_video(start):
            is_npy = start.startswith(_NPY_MAGIC)
            expected = f"Content-Type: {NPY}" if is_npy else "X-Shape: SNIPPETS,CHANNELS"
            raise UnusableInputError(
                f"expected header {expected} with features, or a video, as {RAW}; the body begins "
                f"with {start[:8]!r}"
            )
        await check_room()
        return await _receive_video(request, service, options, _joined(start, parts))


async def _joined(start: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for part in parts:
        yield part


def _referenced_video(content: Body, coding: str, options: LocalizeOptions) -> VideoRequest | None:
    """Returns the video that a JSON body references; None if there is no reference.

    Longer JSON holds features. A worker thread parses it, because the event loop has no time.
    """
    try:
        content = decompress(content, coding, max_bytes=REFERENCE_BYTES)
    except BodyTooLargeError:
        return None
    if len(content) > REFERENCE_BYTES:
        return None
    check_structure(content, max_lists=REFERENCE_BYTES)
    fields = parse_fields(content)
    if fields.get("video") is None:
        return None
    has_lists = fields.pop(FEATURES, None) is not None
    request = check_fields(fields, options, has_lists=has_lists)
    assert request.video
    return VideoRequest(request, uri=request.video.uri, job_id=request.video.job_id)


async def _receive_form(
    request: Request, service: ServiceState, options: LocalizeOptions
) -> FeaturesBody | VideoRequest:
    ticket: Ticket = request.state.ticket
    ticket.upload()
    limits = {"max_files": 1, "max_fields": _MAX_FIELDS, "max_part_size": _FIELD_BYTES}
    try:
        async with request.form(**limits) as form:
            file = form.get(_FIELD)
            if not isinstance(file, UploadFile):
                raise MalformedBodyError(
                    f"expected an .npy file or a video in the form field {_FIELD!r}"
                )
            fields = {name: value for name, value in form.items() if name != _FIELD}
            options = _override(options, fields)
            if await _is_npy(file):
                return await _receive_npy(file, options, ticket, service.settings.max_body_bytes)
            upload = await service.served_videos().uploads.receive(_parts(file))
            return VideoRequest(options, upload=upload, name=file.filename)
    except HTTPException as error:  # raised by Starlette for a form that it cannot parse
        raise MalformedBodyError(f"the form cannot be read: {error.detail}") from error
    except (LookupError, UnicodeError) as error:  # of a `charset` that does not exist or fit
        raise MalformedBodyError(f"the form cannot be read: {error}; leave out charset") from error


async def _is_npy(file: UploadFile) -> bool:
    magic = await file.read(len(_NPY_MAGIC))
    await file.seek(0)
    return magic == _NPY_MAGIC or Path(file.filename or "").suffix.lower() == ".npy"


async def _receive_npy(
    file: UploadFile, options: LocalizeOptions, ticket: Ticket, limit_bytes: int
) -> FeaturesBody:
    if (file.size or 0) > limit_bytes:
        raise BodyTooLargeError(
            f"the features have {file.size} bytes, the limit is {limit_bytes}; send float16, "
            "or the video in parts"
        )
    ticket.reserve(file.size or 0)
    return FeaturesBody(NPY, await file.read(), options)


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(_PART_BYTES):
        yield part


def _override(options: LocalizeOptions, fields: dict[str, Any]) -> LocalizeOptions:
    """Returns options with some of them replaced."""
    with unusable_if_invalid():
        return LocalizeOptions.model_validate(options.model_dump(exclude_unset=True) | fields)

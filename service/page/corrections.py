"""GET and PUT /corrections/{video_id}: what people corrected, kept by the service."""

from email.utils import format_datetime
from functools import partial
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Header, Request, Response

from service.errors import (
    ChangedMeanwhileError,
    NoCorrectionsError,
    NoPreconditionError,
    UnusableInputError,
)
from service.page.corrections_file import CorrectionsFile, SavedEntry
from service.page.json_body import json_body, read_json
from service.page.schemas import CorrectedVideo
from service.routes.description import problems
from service.state import Service, ServiceState

router = APIRouter(prefix="/corrections", tags=["corrections"])

_MAX_BYTES: Final = 8 * 1024**2
_ID_CHARACTERS: Final = 255
_BODY = json_body(CorrectedVideo)


@router.get(
    "/{video_id}", responses=problems(404, 422, 503), response_model=CorrectedVideo,
    response_model_exclude_none=True,
)  # fmt: skip
async def read_corrections(response: Response, service: Service, video_id: str) -> object:
    """Returns the entry of a video in ActivityNet's format."""
    file = _file(service)
    saved = await to_thread.run_sync(file.find, _checked(video_id))
    if saved is None:
        raise NoCorrectionsError(f"there are no corrections of {video_id!r}")
    response.headers.update(_headers(saved))
    return saved.entry


@router.put(
    "/{video_id}", status_code=204, response_class=Response,
    responses=problems(404, 412, 413, 415, 422, 428, 503), openapi_extra={"requestBody": _BODY},
)  # fmt: skip
async def save_corrections(
    request: Request,
    service: Service,
    video_id: str,
    if_match: Annotated[str | None, Header(description="ETag of the entry that was read.")] = None,
    if_none_match: Annotated[
        str | None, Header(description="* where there was no entry.", pattern=r"^\*$")
    ] = None,
) -> Response:
    """Replaces the entry of a video, unless somebody else saved it in between."""
    file = _file(service)
    if (if_match is None) == (if_none_match is None):
        raise NoPreconditionError("expected If-Match with the ETag that was read, or "
                                  "If-None-Match: * where there was no entry")  # fmt: skip
    video = await read_json(request, CorrectedVideo, max_bytes=_MAX_BYTES)
    check = partial(_check_unchanged, if_match)
    entry = video.model_dump(exclude_none=True)
    saved = await to_thread.run_sync(file.save, _checked(video_id), entry, check)
    return Response(status_code=204, headers=_headers(saved))


def _file(service: ServiceState) -> CorrectionsFile:
    folder = service.settings.corrections
    if folder is None:
        raise NoCorrectionsError("this service keeps no corrections; its operator can set a folder")
    return CorrectionsFile(folder)


def _checked(video_id: str) -> str:
    """Returns a video id that `ecm fit` accepts.

    Raises:
        UnusableInputError: the id is not a plain file name.
    """
    is_plain = video_id.isprintable() and not set("/\\") & set(video_id)
    if not is_plain or video_id in (".", "..") or not 0 < len(video_id) <= _ID_CHARACTERS:
        raise UnusableInputError(
            f"expected a video id that is a plain file name of at most {_ID_CHARACTERS} characters"
        )
    return video_id


def _check_unchanged(expected: str | None, present: SavedEntry | None) -> None:
    """Checks that the present entry is the one that the client read.

    Raises:
        ChangedMeanwhileError: it is another one, or there is one where there was none.
    """
    if (present.etag if present else None) != expected:
        raise ChangedMeanwhileError("somebody else saved these corrections meanwhile; read them")


def _headers(saved: SavedEntry) -> dict[str, str]:
    modified = {"Last-Modified": format_datetime(saved.saved, usegmt=True)} if saved.saved else {}
    return {"ETag": saved.etag, **modified}

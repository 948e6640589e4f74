"""Files that a browser loads: their content types, and the answer if the browser has them."""

from pathlib import PurePosixPath
from typing import Final

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
"""Files that are served. All others, such as this module, are not."""


async def static_file(request: Request, files: StaticFiles, name: str) -> Response:
    """Returns a file, or 304 if the browser has it.

    Browsers ask each time, so that page and service never are of two versions.

    Raises:
        HTTPException: there is no such file, or its kind is not served.
    """
    media_type = _MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if media_type is None:
        raise HTTPException(404)
    response = await files.get_response(name, request.scope)
    response.headers["Cache-Control"] = "no-cache"
    if response.status_code == 200:
        response.headers["Content-Type"] = media_type
    return response

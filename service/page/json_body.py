"""Small JSON bodies of the calls that are made for the page."""

from typing import Final, TypeVar

from fastapi import Request
from pydantic import BaseModel

from service.errors import UnsupportedMediaError, unusable_if_invalid
from service.http.body import receive_whole
from service.routes.description import whole_schema
from service.routes.media_types import JSON

Body = TypeVar("Body", bound=BaseModel)

SMALL_BYTES: Final = 64 * 1024
"""Longest body of a few options."""


def json_body(kind: type[BaseModel]) -> dict[str, object]:
    """Returns the OpenAPI description of a body that `read_json` reads."""
    return {"required": True, "content": {JSON: {"schema": whole_schema(kind)}}}


async def read_json(request: Request, kind: type[Body], *, max_bytes: int = SMALL_BYTES) -> Body:
    """Returns the body of a request.

    Raises:
        UnsupportedMediaError: the content type is another. A page of another origin can send the
            right one only if the service allows its origin.
        UnusableInputError: the body is not JSON, or does not match its schema.
        BodyTooLargeError: the body is longer than `max_bytes`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise UnsupportedMediaError(f"expected content type {JSON}, got {media_type or 'none'}")
    content = await receive_whole(request, max_bytes=max_bytes)
    with unusable_if_invalid():
        return kind.model_validate_json(bytes(content), strict=True)

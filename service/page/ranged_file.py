"""Responses with a file or one range of it (RFC 9110, section 14)."""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from anyio import open_file
from starlette.datastructures import Headers
from starlette.responses import StreamingResponse

from service.errors import RangeError

_RANGE = re.compile(r"bytes=\s*([0-9]{0,19})-([0-9]{0,19})\s*", re.IGNORECASE)
_PART_BYTES = 256 * 1024


def ranged_file(
    path: Path, headers: Headers, *, media_type: str, name: str | None
) -> StreamingResponse:
    """Returns a response with a file, or with the range that a request asks for.

    A header that names several ranges, or none that can be read, is ignored, as the RFC allows: the
    response is then the whole file.

    Args:
        path: the file.
        headers: headers of the request.
        media_type: content type of the file.
        name: file name for people who save it.

    Raises:
        OSError: the file cannot be read.
        RangeError: the range begins after the end of the file.
    """
    about = path.stat()
    entity = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
    part = _range(headers, entity, about)
    start, end = part or (0, about.st_size)
    sent = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "ETag": entity,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name or 'video', safe='')}",
    }
    if part:
        sent["Content-Range"] = f"bytes {start}-{end - 1}/{about.st_size}"
    return StreamingResponse(
        _parts(path, start, end), 206 if part else 200, headers=sent, media_type=media_type
    )


def _range(headers: Headers, entity: str, about: os.stat_result) -> tuple[int, int] | None:
    """Returns start and end of the wanted bytes, or None for the whole file.

    Raises:
        RangeError: no byte of the file is in the range.
    """
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or headers.get("if-range", entity) != entity:
        return None
    size = about.st_size
    first, last = match.groups()
    if (not first and not last) or (first and last and int(first) > int(last)):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size:
        raise RangeError(size)
    return start, end


async def _parts(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    async with await open_file(path, "rb") as file:
        await file.seek(start)
        while start < end:
            part = await file.read(min(_PART_BYTES, end - start))
            if not part:
                raise EOFError(f"{path.name} became shorter")  # the connection breaks off
            start += len(part)
            yield part

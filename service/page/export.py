"""POST /export/{format} and POST /jobs/{id}/clips: segments for other programs, and as clips."""

from collections.abc import AsyncIterator
from typing import Annotated, Final
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import StreamingResponse

from ecm_client.formats.table import export, format_of
from ecm_client.formats.video_segments import VideoSegments
from ecm_client.segments import Segment
from service.page.json_body import json_body, read_json
from service.page.schemas import ClipsRequest, ExportRequest
from service.routes.description import BINARY, problems
from service.state import Service

router = APIRouter(tags=["export"])

_MAX_BYTES: Final = 8 * 1024**2
_ZIP: Final = "application/zip"


@router.post(
    "/export/{format_}",
    response_class=Response,
    responses={200: {"content": {"*/*": {"schema": BINARY}}}, **problems(413, 415, 422)},
    openapi_extra={"requestBody": json_body(ExportRequest)},
)
async def export_segments(request: Request, format_: str) -> Response:
    """Returns segments as csv, json, jsonl, activitynet, vtt, edl, elan, boris or labelstudio."""
    chosen = format_of(format_)
    asked = await read_json(request, ExportRequest, max_bytes=_MAX_BYTES)
    video = VideoSegments(asked.video_id, _segments(asked), asked.duration_s, asked.frame_rate)
    content = await to_thread.run_sync(export, format_, [video])
    name = f"{asked.video_id or 'segments'}{chosen.suffix}"
    return Response(content, media_type=chosen.media_type, headers=_attachment(name))


async def _clips(
    request: Request, service: Service, id_: str
) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """Yields the name of a video and the parts of its zip, whose process ends with the response."""
    asked = await read_json(request, ClipsRequest, max_bytes=_MAX_BYTES)
    videos = service.served_videos()
    path, name = await videos.video_of(id_)
    async with videos.clips.zipped(
        path, name or "video", _segments(asked), exact=asked.exact
    ) as parts:
        yield name or "video", parts


@router.post(
    "/jobs/{id_}/clips",
    response_class=Response,
    responses={
        200: {"content": {_ZIP: {"schema": BINARY}}},
        **problems(404, 413, 415, 422, 500, 501, 503),
    },
    openapi_extra={"requestBody": json_body(ClipsRequest)},
)
async def cut_clips(
    clips: Annotated[tuple[str, AsyncIterator[bytes]], Depends(_clips)],
) -> StreamingResponse:
    """Returns a zip with a clip of each segment, copied from key frames or encoded exactly."""
    name, parts = clips
    headers = _attachment(f"{name.rpartition('.')[0] or name}_clips.zip")
    return StreamingResponse(parts, media_type=_ZIP, headers=headers)


def _segments(asked: ClipsRequest | ExportRequest) -> list[Segment]:
    return [Segment(one.start_s, one.end_s, one.label, one.score) for one in asked.segments]


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}

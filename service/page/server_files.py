"""GET /files: the operator's videos."""

from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query

from service.page.schemas import FileEntry, FileList
from service.references.folders import FolderEntry, list_folder
from service.routes.description import problems
from service.state import Service

router = APIRouter(prefix="/files", tags=["page"])


@router.get("", responses=problems(404, 422))
async def list_files(
    service: Service,
    path: Annotated[
        str, Query(max_length=4096, description="Absolute path of a folder; empty for the roots.")
    ] = "",
) -> FileList:
    """Lists the folders and videos of a folder below `video_roots`."""
    work = partial(list_folder, path, service.settings.video_roots)
    entries, is_truncated = await to_thread.run_sync(work)
    return FileList(path=path, entries=[_described(one) for one in entries], truncated=is_truncated)


def _described(entry: FolderEntry) -> FileEntry:
    return FileEntry(
        name=entry.path.name or str(entry.path),
        path=str(entry.path),
        uri=entry.path.as_uri(),
        kind=entry.kind,
        size_bytes=entry.size_bytes,
    )

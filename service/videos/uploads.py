"""Writes uploaded videos to disk while they arrive."""

import errno
import hashlib
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from anyio import CancelScope, to_thread

from service.errors import DiskFullError, UnusableInputError
from service.videos.data_folder import DataFolder


@dataclass(frozen=True, slots=True)
class Upload:
    """Complete file of an uploaded video."""

    path: Path
    """Path of the file; the receiver moves or removes it."""
    sha256: str
    """SHA-256 of the file."""


class Uploads:
    """Writes videos of any size to disk, part by part."""

    def __init__(self, data: DataFolder, check_room: Callable[[], Awaitable[None]]) -> None:
        """Prepares uploads.

        Args:
            data: folder that receives the files.
            check_room: raises if there is no room for one more job.
        """
        self._data = data
        self._check_room = check_room

    async def receive(self, parts: AsyncIterable[bytes]) -> Upload:
        """Returns a video when all of it is on disk; an incomplete one is removed.

        Raises:
            QueueFullError: too many jobs wait; nothing was read.
            DiskFullError: the disk has no room for the video.
            UnusableInputError: the video is empty.
        """
        await self._check_room()
        path = self._data.incoming / uuid4().hex
        digest = hashlib.sha256()
        try:
            file = await to_thread.run_sync(path.open, "wb")
            try:
                async for part in parts:
                    await to_thread.run_sync(_append, part, file, digest)
                length = file.tell()
            finally:
                with CancelScope(shield=True):
                    await to_thread.run_sync(file.close)
            if not length:
                raise UnusableInputError("expected a video, got an empty file")
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(
                    "the service's disk has no room for this video; try again later"
                ) from error
            raise
        return Upload(path, digest.hexdigest())


def _append(part: bytes, file: IO[bytes], digest: "hashlib._Hash") -> None:
    file.write(part)
    digest.update(part)

"""Videos that come with a request, on their way to the disk."""

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
    """A video's file, whole."""

    path: Path
    """Where it is; whoever takes it moves or removes it."""
    sha256: str
    """Hash of it."""


class Uploads:
    """Takes videos to the disk as they come, whatever their size."""

    def __init__(self, data: DataFolder, check_room: Callable[[], Awaitable[None]]) -> None:
        """Takes them to this folder, if there is room for one more job."""
        self._data = data
        self._check_room = check_room

    async def receive(self, parts: AsyncIterable[bytes]) -> Upload:
        """Returns a video once all of it is on the disk; nothing is left of one that stops.

        Raises:
            QueueFullError: too many jobs wait; nothing was read.
            DiskFullError: there is no room for it.
            UnusableInputError: it is empty.
        """
        await self._check_room()
        path = self._data.incoming / uuid4().hex
        digest = hashlib.sha256()
        try:
            file = await to_thread.run_sync(path.open, "wb")
            try:
                async for part in parts:
                    await to_thread.run_sync(_add, part, file, digest)
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


def _add(part: bytes, file: IO[bytes], digest: "hashlib._Hash") -> None:
    file.write(part)
    digest.update(part)

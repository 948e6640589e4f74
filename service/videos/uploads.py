"""Writes uploaded videos to disk while they arrive."""

import errno
import fcntl
import hashlib
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from anyio import CancelScope, to_thread

from service.errors import DiskFullError, JobsUnavailableError, UnusableInputError
from service.videos.data_folder import DataFolder


@dataclass(frozen=True, slots=True)
class Upload:
    """Complete file of an uploaded video."""

    path: Path
    """Path of the file."""
    sha256: str
    """SHA-256 of the file."""
    file: IO[bytes]
    """The open file, whose lock shows that the upload is not abandoned."""

    def remove(self) -> None:
        """Removes the file, unless it was moved, and its lock."""
        self.path.unlink(missing_ok=True)
        self.file.close()


class Uploads:
    """Writes videos of any size to disk, part by part."""

    def __init__(self, data: DataFolder) -> None:
        """Prepares uploads into a folder."""
        self._data = data

    async def receive(self, parts: AsyncIterable[bytes]) -> Upload:
        """Returns a video when all of it is on disk; an incomplete one is removed.

        Raises:
            DiskFullError: the disk has no room for the video.
            UnusableInputError: the video is empty.
            JobsUnavailableError: the data folder is gone.
        """
        path = self._data.incoming / uuid4().hex
        digest = hashlib.sha256()
        with _upload_errors():
            file = await to_thread.run_sync(_create, path)
            try:
                async for part in parts:
                    await to_thread.run_sync(_append, part, file, digest)
                await to_thread.run_sync(file.flush)
                if not file.tell():
                    raise UnusableInputError("expected a video, got an empty file")
            except BaseException:
                with CancelScope(shield=True):
                    await to_thread.run_sync(_discard, path, file)
                raise
        return Upload(path, digest.hexdigest(), file)


@contextmanager
def _upload_errors() -> Iterator[None]:
    """Turns errors of the disk into those that a client gets."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                "the service's disk has no room for this video; try again later"
            ) from error
        if error.errno == errno.ENOENT:
            raise JobsUnavailableError("the service's data folder is gone; restore it") from error
        raise


def _create(path: Path) -> IO[bytes]:
    """Creates a file and locks it, so that it does not count as abandoned."""
    file = path.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _discard(path: Path, file: IO[bytes]) -> None:
    path.unlink(missing_ok=True)
    with suppress(OSError):  # closing flushes, and the disk may be full
        file.close()


def _append(part: bytes, file: IO[bytes], digest: "hashlib._Hash") -> None:
    file.write(part)
    digest.update(part)

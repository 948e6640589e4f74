"""A folder of files, bounded in bytes and in age; the least recently used files go first.

Several processes may share the folder.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class BoundedFolder:
    """Files whose time of last change is the time of their last use."""

    def __init__(self, folder: Path, max_bytes: int, max_age_s: float | None = None) -> None:
        """Takes a folder that holds nothing else.

        Args:
            folder: the folder; its lock file lies beside it.
            max_bytes: most bytes of all files together.
            max_age_s: time after its last use at which a file goes; None for no such limit.
        """
        self.folder = folder
        self.max_bytes = max_bytes
        self._max_age_s = max_age_s

    @contextmanager
    def room(self, wanted_bytes: int) -> Iterator[None]:
        """Makes room for a new file; excludes all other writers during the `with`.

        Two writers of one file would otherwise mix their halves.
        """
        with self.folder.with_name(f"{self.folder.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._evict(wanted_bytes)
            yield

    def used(self, path: Path) -> None:
        """Records the use of a file.

        Raises:
            FileNotFoundError: the file is not there, or too old.
        """
        if self._max_age_s is not None and path.stat().st_mtime < time.time() - self._max_age_s:
            raise FileNotFoundError(path)
        os.utime(path)

    def _evict(self, wanted_bytes: int) -> None:
        """Removes files until `wanted_bytes` fit into `max_bytes`."""
        for path in self.folder.glob(".*.partial"):  # left by writers that were killed
            path.unlink(missing_ok=True)
        oldest_s = 0.0 if self._max_age_s is None else time.time() - self._max_age_s
        files = sorted(_files(self.folder))
        excess = sum(size for _, size, _ in files) + wanted_bytes - self.max_bytes
        for used_s, size, path in files:
            if excess <= 0 and used_s >= oldest_s:
                return
            with suppress(OSError):  # it may be a folder, or removed by a reader
                path.unlink()
                excess -= size


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yields time of last use, size and path of each file."""
    for path in folder.glob("[!.]*"):
        with suppress(FileNotFoundError):  # removed by another process
            yield path.stat().st_mtime, path.stat().st_size, path

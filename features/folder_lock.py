"""A lock on a folder, so that one process at a time writes to it."""

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model.errors import OptionError

LOCK = ".lock"
"""File in a locked folder; it names the process that holds the lock."""
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}
_log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds the lock of a folder, which is created.

    The lock ends with its process, even by `kill -9`; a killed process leaves the file `LOCK`, but
    not the lock. A folder on a disk that cannot be written or has no locks is not locked.

    Args:
        folder: folder to lock.
        wait: whether to wait while another process holds the lock, instead of refusing.

    Raises:
        OptionError: another process holds the lock, and `wait` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = _take(folder, wait=wait)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE | _NO_LOCKS:
            raise
        if error.errno in _NO_LOCKS:
            _log.warning("the disk of %s has no locks; let one process at a time use it", folder)
        yield
        return
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(descriptor)


def _take(folder: Path, *, wait: bool) -> int:
    """Returns the descriptor of the locked file.

    Not the folder itself is locked, because NFS locks only files that are open for writing.
    """
    path = folder / LOCK
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, folder, wait=wait)
            if _is_at(descriptor, path):
                os.ftruncate(descriptor, 0)
                with suppress(OSError):  # a full disk has no room for the name
                    os.write(
                        descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode()
                    )
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, *, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise OptionError(
                f"{_holder(folder)} is at work in {folder}; wait for its end, or choose another "
                "folder"
            ) from None
        _log.info("%s writes to %s; waiting for its end", _holder(folder), folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_at(descriptor: int, path: Path) -> bool:
    """Returns whether a file is still at its path; the holder before removed it at its end."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(folder: Path) -> str:
    try:
        return (folder / LOCK).read_text() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"

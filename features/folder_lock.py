"""A lock on a folder, so that one process at a time writes to it."""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model.errors import OptionError

HOLDER = ".lock-holder"
"""File in a locked folder that names the process with the lock."""
_log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds the lock of a folder, which is created.

    The lock ends with its process, even by `kill -9`. The file `HOLDER` serves messages alone: a
    killed process leaves it, but not the lock.

    Args:
        folder: folder to lock.
        wait: whether to wait while another process holds the lock, instead of refusing.

    Raises:
        OptionError: another process holds the lock, and `wait` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / HOLDER
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _take(descriptor, folder, wait=wait)
        with suppress(OSError):  # a folder on a read-only disk can be locked as well
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        try:
            yield
        finally:
            with suppress(OSError):
                holder.unlink()
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path, *, wait: bool) -> None:
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


def _holder(folder: Path) -> str:
    try:
        return (folder / HOLDER).read_text() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"

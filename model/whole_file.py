"""Files that are written or read completely or not at all, and the hashes of files."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file that replaces `path` once its content is on the disk.

    If anything fails before that, `path` is unchanged: absent, or the old file.

    Raises:
        OSError: the file cannot be written, for example because the disk is full. The error names
            the path.
    """
    try:
        with whole_path(path) as partial, partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno and error.filename is None:  # an error of `write` does not name the file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; the file written there replaces `path` at the end.

    For writers that take a path instead of an open file. If anything fails, `path` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256_of(content: Path | bytes) -> str:
    """Returns the SHA-256 of a file or of bytes, in hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """Returns the content of a regular file; never waits for a pipe and never reads a device.

    Args:
        path: path of the file.
        max_bytes: size of the largest allowed file.

    Raises:
        OSError: the file cannot be read, is not a regular file, is too large, or grows.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "expected a regular file", str(path))
    with open(path, "rb", opener=_open_without_waiting) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise OSError(errno.EFBIG, f"expected at most {max_bytes} bytes, got {size}", str(path))
        content = file.read(size + 1)
    if len(content) != size:
        raise OSError(errno.EBUSY, "the file changes while it is read", str(path))
    return content


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens a file; a pipe that took its place meanwhile is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)

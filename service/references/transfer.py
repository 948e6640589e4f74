"""Limits of one download: bytes, total time, and time without progress."""

import time
from typing import IO

from service.references.errors import ReferenceRefusedError, TransientDownloadError


class Transfer:
    """A download into a file; its clock starts when the object is created."""

    def __init__(
        self, file: IO[bytes], *, max_bytes: int, max_download_s: float, stall_s: float
    ) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._max_download_s = max_download_s
        self._stall_s = stall_s
        self._end_s = time.monotonic() + max_download_s
        self._received_bytes = 0

    def expect(self, size_bytes: int) -> None:
        """Checks the announced size before the download is read.

        Raises:
            ReferenceRefusedError: the size is above the limit.
        """
        if size_bytes > self._max_bytes:
            raise ReferenceRefusedError(too_large(size_bytes, self._max_bytes))

    def write(self, piece: bytes) -> None:
        """Appends a piece to the file.

        Raises:
            ReferenceRefusedError: the total is above the limit; the piece is not written.
            OSError: the disk is full.
        """
        self._received_bytes += len(piece)
        self.expect(self._received_bytes)
        self._file.write(piece)

    def wait_s(self) -> float:
        """Returns how long the next read may wait.

        Raises:
            TransientDownloadError: the total time is used up.
        """
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TransientDownloadError(
                f"the download is too slow: more than {self._max_download_s:g} s for the whole "
                "video; the operator sets the limit ECM_MAX_DOWNLOAD_S"
            )
        return min(left_s, self._stall_s)


def too_large(size_bytes: int, max_bytes: int) -> str:
    """Returns the error message for a video above the limit."""
    return (
        f"the video has {size_bytes} bytes or more, the limit is {max_bytes}; "
        "the operator sets ECM_MAX_VIDEO_BYTES"
    )

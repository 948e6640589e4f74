"""Reusable memory for request bodies and batches.

Allocating a few megabytes costs as much time as receiving into them, because the kernel clears
every page at its first use. Page-locked memory costs many times that.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np

ALIGNMENT: Final = 64
"""Alignment of every buffer, in bytes; enough for any vector instruction."""

_SMALLEST_BYTES = 64 * 1024


@dataclass(slots=True)
class Buffers:
    """Thread-safe pool of buffers whose sizes are powers of two."""

    max_bytes: int
    """Most bytes of lent and pooled buffers together; above it, returned buffers are freed."""
    preferred: Callable[[int], memoryview | None] | None = None
    """Allocates special memory, such as page-locked memory; None for ordinary memory."""
    _pooled: list[tuple[int, memoryview]] = field(default_factory=list)
    """Returned buffers, the newest last, each with the number of rests before its return."""
    _all_bytes: int = 0
    """Total size of the pooled buffers and of the lent ones that will return to the pool."""
    _rests: int = 0
    """Number of calls of `rest`."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rest(self, max_bytes: int) -> None:
        """Frees buffers that were not lent since the last rest, until `max_bytes` are left."""
        with self._lock:
            evicted = self._evict(max_bytes, self._rests)
            self._rests += 1
        evicted.clear()  # outside the lock, because freeing memory takes time

    @contextmanager
    def lent(self, length: int) -> Iterator[memoryview]:
        """Lends a buffer of `length` bytes for the duration of a `with`.

        Its content is arbitrary. No view of it may be used after the `with`.
        """
        size = max(_SMALLEST_BYTES, 1 << (length - 1).bit_length())
        if size > self.max_bytes:
            yield _aligned(size)[:length]
            return
        whole = self._take(size)
        try:
            yield whole[:length]
        finally:
            self._return(whole)

    def _return(self, whole: memoryview) -> None:
        with self._lock:
            self._pooled.append((self._rests, whole))
            evicted = self._evict(self.max_bytes, self._rests + 1)
        evicted.clear()

    def _take(self, size: int) -> memoryview:
        with self._lock:
            for index, (_, pooled) in reversed(list(enumerate(self._pooled))):
                if len(pooled) == size:
                    del self._pooled[index]
                    return pooled
        special = self.preferred and self.preferred(size)
        whole = _aligned(size) if special is None else special
        with self._lock:
            self._all_bytes += size
            evicted = self._evict(self.max_bytes, self._rests + 1)
        evicted.clear()
        return whole

    def _evict(self, max_bytes: int, before_rest: int) -> list[memoryview]:
        """Evicts the least recently used buffers until the total is within `max_bytes`.

        Args:
            max_bytes: the aim for the total.
            before_rest: only buffers that returned before this rest are evicted.

        Returns:
            The evicted buffers, for the caller to free outside the lock.
        """
        evicted = []
        while self._all_bytes > max_bytes and self._pooled and self._pooled[0][0] < before_rest:
            evicted.append(self._pooled.pop(0)[1])
            self._all_bytes -= len(evicted[-1])
        return evicted


def _aligned(size: int) -> memoryview:
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].data

"""Memory that bodies and batches lie in, used again and again.

Fresh memory of a few megabytes costs as much time as receiving into it: the kernel clears every
page when it is first touched. Page-locked memory costs many times that.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np

ALIGNMENT: Final = 64
"""Bytes on whose multiples a buffer begins; what computes on it wants no less."""

_SMALLEST_BYTES = 64 * 1024


@dataclass(slots=True)
class Buffers:
    """Lends buffers, to any thread; of those that came back it keeps as many as it may."""

    max_bytes: int
    """Most that all of them have, lent or kept, as long as any are kept."""
    preferred: Callable[[int], memoryview | None] | None = None
    """Gives memory of a better kind, if it can; asked for buffers that are short enough to keep."""
    _kept: list[tuple[int, memoryview]] = field(default_factory=list)
    """Those that came back, the newest last, and after how many rests."""
    _all_bytes: int = 0
    """What those have that are kept or will be."""
    _rests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rest(self, max_bytes: int) -> None:
        """Drops what was not lent since the last rest, until all have that many bytes."""
        with self._lock:
            dropped = self._oldest(max_bytes, self._rests)
            self._rests += 1
        dropped.clear()  # which may take its time, and nobody waits for the lock

    @contextmanager
    def lent(self, length: int) -> Iterator[memoryview]:
        """Gives a buffer of a length for the length of a `with`; what is in it is left over.

        Nobody may hold on to it, or to a view of it, after that.
        """
        size = max(_SMALLEST_BYTES, 1 << (length - 1).bit_length())
        if size > self.max_bytes:
            yield _aligned(size)[:length]
            return
        whole = self._take(size)
        try:
            yield whole[:length]
        finally:
            self._keep(whole)

    def _keep(self, whole: memoryview) -> None:
        with self._lock:
            self._kept.append((self._rests, whole))
            dropped = self._oldest(self.max_bytes, self._rests + 1)
        dropped.clear()

    def _take(self, size: int) -> memoryview:
        with self._lock:
            for index, (_, kept) in reversed(list(enumerate(self._kept))):
                if len(kept) == size:
                    del self._kept[index]
                    return kept
        better = self.preferred and self.preferred(size)
        whole = _aligned(size) if better is None else better
        with self._lock:
            self._all_bytes += size
            dropped = self._oldest(self.max_bytes, self._rests + 1)
        dropped.clear()
        return whole

    def _oldest(self, max_bytes: int, before: int) -> list[memoryview]:
        """Takes out those not of use for longest, back before so many rests, if there is too much.

        Returns:
            Them, to be freed.
        """
        taken = []
        while self._all_bytes > max_bytes and self._kept and self._kept[0][0] < before:
            taken.append(self._kept.pop(0)[1])
            self._all_bytes -= len(taken[-1])
        return taken


def _aligned(size: int) -> memoryview:
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].data

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
    """Lends buffers, to any thread; of those that came back it keeps as many bytes as it may."""

    max_kept_bytes: int
    """Most bytes that are kept to be lent again."""
    preferred: Callable[[int], memoryview | None] | None = None
    """Gives memory of a better kind, if it can; asked for buffers that are short enough to keep."""
    _free: list[tuple[int, memoryview]] = field(default_factory=list)
    """Those that came back, the last one last, and after how many rests."""
    _rests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rest(self, max_bytes: int) -> None:
        """Drops what was not lent since the last rest, down to so many bytes."""
        dropped = []
        with self._lock:
            while self._kept_bytes() > max_bytes and self._free[0][0] < self._rests:
                dropped.append(self._free.pop(0))
            self._rests += 1

    @contextmanager
    def lent(self, length: int) -> Iterator[memoryview]:
        """Gives a buffer of a length for the length of a `with`; what is in it is left over.

        Nobody may hold on to it, or to a view of it, after that.
        """
        whole = self._take(length)
        try:
            yield whole[:length]
        finally:
            self._keep(whole)

    def _keep(self, whole: memoryview) -> None:
        dropped = []  # and freed when nobody waits for the lock, since that may take its time
        with self._lock:
            if len(whole) <= self.max_kept_bytes:
                self._free.append((self._rests, whole))
            while self._kept_bytes() > self.max_kept_bytes:
                dropped.append(self._free.pop(0))  # not of use for longest

    def _take(self, length: int) -> memoryview:
        size = max(_SMALLEST_BYTES, 1 << (length - 1).bit_length())
        with self._lock:
            for index, (_, free) in reversed(list(enumerate(self._free))):
                if len(free) == size:
                    del self._free[index]
                    return free
        better = None
        if self.preferred and size <= self.max_kept_bytes:
            better = self.preferred(size)
        return _aligned(size) if better is None else better

    def _kept_bytes(self) -> int:
        return sum(len(free) for _, free in self._free)


def _aligned(size: int) -> memoryview:
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].data

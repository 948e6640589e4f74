"""Memory that bodies are received into, used again and again.

Fresh memory of a few megabytes costs as much time as receiving into it: the kernel clears every
page when it is first touched.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np

ALIGNMENT: Final = 64
"""Bytes on whose multiples a buffer begins; what computes on it wants no less."""

_SMALLEST_BYTES = 64 * 1024


@dataclass(slots=True)
class Buffers:
    """Lends buffers; of those that came back it keeps as many bytes as it may."""

    max_kept_bytes: int
    """Most bytes that are kept for the next body."""
    _free: list[memoryview] = field(default_factory=list)

    @contextmanager
    def lent(self, length: int) -> Iterator[memoryview]:
        """Gives a buffer of a length for the length of a `with`; what is in it is left over.

        Nobody may hold on to it, or to a view of it, after that.
        """
        whole = self._take(length)
        try:
            yield whole[:length]
        finally:
            self._free.append(whole)
            while sum(map(len, self._free)) > self.max_kept_bytes:
                self._free.pop(0)  # the one that has not been of use for longest

    def _take(self, length: int) -> memoryview:
        size = max(_SMALLEST_BYTES, 1 << (length - 1).bit_length())
        for index, free in reversed(list(enumerate(self._free))):
            if len(free) == size:
                return self._free.pop(index)
        return _aligned(size)


def _aligned(size: int) -> memoryview:
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].data

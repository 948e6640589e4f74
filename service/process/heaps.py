"""Settings of glibc's allocator that keep the memory of a long-running process small."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_M_ARENA_MAX, _HEAPS = -8, 2
_TRIM_S = 30.0


def share_heaps() -> None:
    """Makes all threads share two heaps, because by default each thread grows its own."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, TypeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def trim_heaps() -> None:
    """Returns free memory to the kernel; takes milliseconds."""
    with suppress(AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def tended_heaps(*give_back: Callable[[], None]) -> Iterator[None]:
    """Returns free memory to the kernel every 30 s, for the duration of a `with`.

    Args:
        give_back: called before each trim, to free memory first.
    """
    stopping = threading.Event()

    def tend() -> None:
        while not stopping.wait(_TRIM_S):
            for one in give_back:
                one()
            trim_heaps()

    threading.Thread(target=tend, name="heaps", daemon=True).start()
    try:
        yield
    finally:
        stopping.set()

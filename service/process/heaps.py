"""What glibc does with the memory that the process took once and does not need any more."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_M_ARENA_MAX, _HEAPS = -8, 2
_TRIM_S = 30.0


def share_heaps() -> None:
    """Has all threads share two heaps: by itself each gets its own, and fills it once."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, TypeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def trim_heaps() -> None:
    """Gives the kernel what lies free between what is in use; takes milliseconds."""
    with suppress(AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def tended_heaps(*give_back: Callable[[], None]) -> Iterator[None]:
    """Keeps small what memory lies free, for the length of a `with`.

    Args:
        give_back: called every half a minute, before what is free goes to the kernel.
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

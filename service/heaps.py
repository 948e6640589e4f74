"""What glibc does with the memory that the process took once and does not need any more."""

import ctypes
import os
from contextlib import suppress
from typing import Final

_M_ARENA_MAX, _HEAPS = -8, 2
TRIM_S: Final = 30.0
"""From one time that free memory is given back to the next."""


def share_heaps() -> None:
    """Has all threads share two heaps: by itself each gets its own, and fills it once."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, TypeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def trim_heaps() -> None:
    """Gives the kernel what lies free between what is in use; takes milliseconds."""
    with suppress(AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

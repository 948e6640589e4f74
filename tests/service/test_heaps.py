"""Memory that is not needed any more goes back to the kernel."""

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import random
from pathlib import Path
from service.heaps import share_heaps, trim_heaps

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

share_heaps()
blocks = [bytes(random.randint(600, 100_000)) for _ in range(4000)]
random.shuffle(blocks)
del blocks[1000:]
before = resident_pages()
trim_heaps()
print(resident_pages() / before)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc"
)
def test_what_lies_free_between_things_in_use_is_given_back() -> None:
    """A quarter of it is in use, all over the heap."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    ).stdout
    assert float(told) < 0.8

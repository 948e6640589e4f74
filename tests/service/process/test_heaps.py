"""Unused memory returns to the kernel."""

import ctypes
import subprocess
import sys
import threading

import pytest

from service.process import heaps

PROGRAM = """
import random
from pathlib import Path
from service.process.heaps import share_heaps, trim_heaps

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
def test_free_memory_between_used_blocks_is_returned() -> None:
    """A quarter of the blocks, spread over the heap, is in use."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    ).stdout
    assert float(told) < 0.8


def test_memory_is_returned_repeatedly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread exists during the `with` only."""
    monkeypatch.setattr(heaps, "_TRIM_S", 0.001)
    calls = threading.Semaphore(0)
    with heaps.tended_heaps(calls.release):
        (tending,) = (thread for thread in threading.enumerate() if thread.name == "heaps")
        for _ in range(3):
            assert calls.acquire(timeout=10)
    tending.join(timeout=10)
    assert not tending.is_alive()

"""Page-locked memory, which a GPU reads directly.

CUDA copies ordinary memory to a small page-locked buffer of its own first, piece by piece, while
the thread that runs the network waits. onnxruntime needs no flag, because the driver recognizes
page-locked addresses.
"""

import ctypes
import functools
import logging
import weakref

import numpy as np
import onnxruntime

_log = logging.getLogger(__name__)


def page_locked(size: int) -> memoryview | None:
    """Returns `size` bytes that begin at a page; None if CUDA provides none.

    The memory is freed with the last view of it.
    """
    cudart = _cudart()
    if cudart is None or size == 0:
        return None
    address = ctypes.c_void_p()
    status = cudart.cudaHostAlloc(ctypes.byref(address), ctypes.c_size_t(size), 0)
    if status or address.value is None:
        _log_once(status)
        return None
    memory = (ctypes.c_ubyte * size).from_address(address.value)
    unlock = weakref.finalize(memory, cudart.cudaFreeHost, address)
    unlock.atexit = False  # CUDA may have ended by then, and the kernel frees the memory
    return np.ctypeslib.as_array(memory).data


@functools.cache
def _cudart() -> ctypes.CDLL | None:
    """Returns the CUDA runtime that onnxruntime uses; None without CUDA."""
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return None
    onnxruntime.preload_dlls()  # finds the CUDA libraries that pip installed
    major = onnxruntime.cuda_version.partition(".")[0]
    try:
        return ctypes.CDLL(f"libcudart.so.{major}")
    except OSError:
        _log.debug("no libcudart.so.%s: memory is not page-locked", major)
        return None


@functools.cache
def _log_once(status: int) -> None:
    _log.info(
        "CUDA provides no page-locked memory (error %d): each batch is copied once more",
        status,
    )

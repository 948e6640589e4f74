"""Memory that the kernel may not move, which a GPU therefore reads by itself.

From ordinary memory CUDA first copies to a small page-locked buffer of its own, part by part, and
the thread that runs the network waits meanwhile. onnxruntime need not be told: the driver knows an
address that is page-locked.
"""

import ctypes
import functools
import logging
import weakref

import numpy as np
import onnxruntime

_log = logging.getLogger(__name__)


def page_locked(size: int) -> memoryview | None:
    """Returns so many bytes, at the beginning of a page; None where CUDA gives none.

    They are unlocked when the last view of them is gone.
    """
    cudart = _cudart()
    if cudart is None or size == 0:
        return None
    address = ctypes.c_void_p()
    status = cudart.cudaHostAlloc(ctypes.byref(address), ctypes.c_size_t(size), 0)
    if status or address.value is None:
        _tell_once(status)
        return None
    memory = (ctypes.c_ubyte * size).from_address(address.value)
    unlock = weakref.finalize(memory, cudart.cudaFreeHost, address)
    unlock.atexit = False  # CUDA may have ended by then, and the kernel takes all back
    return np.ctypeslib.as_array(memory).data


@functools.cache
def _cudart() -> ctypes.CDLL | None:
    """Returns the CUDA runtime that onnxruntime computes with, if it does."""
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return None
    onnxruntime.preload_dlls()  # finds the CUDA libraries that pip installed
    major = onnxruntime.cuda_version.partition(".")[0]
    try:
        return ctypes.CDLL(f"libcudart.so.{major}")
    except OSError:
        _log.debug("there is no libcudart.so.%s: memory is not page-locked", major)
        return None


@functools.cache
def _tell_once(status: int) -> None:
    _log.info(
        "CUDA gives no page-locked memory (error %d): batches go to the GPU by way of another copy",
        status,
    )

"""Page-locked memory, allocated where CUDA provides it, freed with its last view."""

import ctypes
import gc
import os
from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest

from model.inference.engine import EngineConfig, OnnxEngine
from service.models import page_locked as module
from service.models.page_locked import page_locked


class Runtime:
    """Fake of two functions of CUDA's runtime, on ordinary memory."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.held: dict[int, ctypes.Array[ctypes.c_char]] = {}

    def cudaHostAlloc(self, address, size: ctypes.c_size_t, flags: int) -> int:
        """Writes the address of new memory, or returns an error code."""
        assert flags == 0
        if not self.status:
            memory = ctypes.create_string_buffer(size.value)
            address._obj.value = ctypes.addressof(memory)
            self.held[address._obj.value] = memory
        return self.status

    def cudaFreeHost(self, address: ctypes.c_void_p) -> int:
        """Frees memory that was allocated and not yet freed."""
        assert address.value is not None
        del self.held[address.value]
        return 0


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A fake CUDA runtime for machines without a GPU."""
    runtime = Runtime()
    monkeypatch.setattr(module, "_cudart", lambda: runtime)
    yield runtime
    gc.collect()
    assert not runtime.held


def test_memory_is_freed_with_its_last_view(runtime: Runtime) -> None:
    """A view of a part keeps all of it."""
    memory = page_locked(5000)
    assert memory is not None
    part = np.frombuffer(memory[100:4100], dtype=np.float32)
    part[:] = 7
    assert len(memory) == 5000
    assert set(memory[100:4100].cast("f")) == {7.0}
    del memory
    assert len(runtime.held) == 1
    assert part.sum() == 7 * 1000
    del part
    assert not runtime.held


def test_without_room_or_a_device_there_is_none(runtime: Runtime) -> None:
    """The caller falls back to ordinary memory."""
    for runtime.status in (2, 35, 100):
        assert page_locked(5000) is None
    runtime.status = 0
    assert page_locked(0) is None


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is installed"
)
def test_where_onnxruntime_knows_no_cuda_there_is_none() -> None:
    """The CPU wheel of onnxruntime has no CUDA runtime."""
    assert page_locked(5000) is None


def test_on_a_gpu_the_network_reads_it(exported: bytes) -> None:
    """With the results of ordinary memory."""
    engine = OnnxEngine(exported, EngineConfig())
    if engine.device != "cuda":
        pytest.skip("there is no CUDA GPU")
    features_TD = np.random.default_rng(0).standard_normal((40, 8), np.float32)
    memory = page_locked(features_TD.nbytes)
    assert memory is not None
    assert ctypes.addressof(ctypes.c_char.from_buffer(memory)) % os.sysconf("SC_PAGESIZE") == 0
    locked_TD = np.frombuffer(memory, np.float32).reshape(features_TD.shape)
    locked_TD[:] = features_TD
    np.testing.assert_array_equal(engine.cas(locked_TD), engine.cas(features_TD))

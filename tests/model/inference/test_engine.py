"""Options of onnxruntime, and its failures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from model.errors import EngineError, EngineMemoryError, ModelError
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine, open_session

ALLOCATION_FAILURES = [
    "Non-zero status code returned while running Conv node. Status Message: bfc_arena.cc:376 "
    "AllocateRawInternal Failed to allocate memory for requested buffer of size 939524096",
    "Available memory of 0 is smaller than requested bytes of 1024",
    "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc(&p, size)",
    "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
    "CUDNN failure 4008: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0",
    "std::bad_alloc",
]


@pytest.fixture
def failing(exported: bytes, monkeypatch: pytest.MonkeyPatch):
    """Returns a function that makes an engine whose runs fail with a message of onnxruntime."""

    def fail_with(message: str) -> OnnxEngine:
        def fail(*given: object) -> None:
            raise RuntimeError(message)

        engine = OnnxEngine(exported, EngineConfig(device="cpu"))
        monkeypatch.setattr(onnxruntime.InferenceSession, "run", fail)
        return engine

    return fail_with


@pytest.mark.parametrize("message", ALLOCATION_FAILURES)
def test_failed_allocation_is_an_error_of_its_own(failing, message: str) -> None:
    """Any library may fail; the message contains the shape only."""
    with pytest.raises(EngineMemoryError, match=r"no memory for features of shape \(1, 5, 8\)$"):
        failing(message).cas(np.zeros((5, 8), np.float32))


def test_other_failures_do_not_count_as_failed_allocations(failing) -> None:
    """A lost GPU is an example."""
    with pytest.raises(EngineError) as caught:
        failing("CUDA failure 719: unspecified launch failure").cas(np.zeros((5, 8), np.float32))
    assert not isinstance(caught.value, EngineMemoryError)


def test_lack_of_memory_does_not_make_a_network_unreadable(
    exported: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself is intact."""

    def fail(*given: object, **more: object) -> None:
        raise RuntimeError(ALLOCATION_FAILURES[0])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(EngineMemoryError, match="no memory to load the network"):
        open_session(exported, EngineConfig(device="cpu"))


def test_bytes_that_are_no_network_are_unreadable() -> None:
    """The error is not one of memory."""
    with pytest.raises(ModelError, match="not a readable ONNX network"):
        open_session(b"nothing", EngineConfig(device="cpu"))


@pytest.mark.parametrize(
    ("config", "expected"), [(EngineConfig(), "0"), (EngineConfig(tf32=True), "1")]
)
def test_tf32_is_off_by_default(
    exported: bytes, monkeypatch: pytest.MonkeyPatch, config: EngineConfig, expected: str
) -> None:
    """The default of onnxruntime is on."""
    passed: list[Any] = []
    opened = onnxruntime.InferenceSession

    def record(content: bytes, options: object, providers: list[Any]) -> object:
        passed.extend(providers)
        return opened(content, options, providers=["CPUExecutionProvider"])

    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    open_session(exported, config)
    (name, options), last = passed
    assert (name, options["use_tf32"]) == ("CUDAExecutionProvider", expected)
    assert last == "CPUExecutionProvider"


def test_failed_run_never_continues_with_another_provider(exported: bytes) -> None:
    """Onnxruntime would do so by default, and only print a message."""
    session = open_session(exported, EngineConfig(device="cpu"))
    assert session._enable_fallback is False


def test_profile_names_the_provider_of_each_node(exported: bytes, tmp_path: Path) -> None:
    """The JSON file is in the requested folder."""
    session = open_session(exported, EngineConfig(device="cpu"), profile=tmp_path / "profile")
    session.run([CAS], {FEATURES: np.zeros((1, 5, 8), np.float32), LENGTHS: np.array([5])})
    written = Path(session.end_profiling())
    assert written.parent == tmp_path
    nodes = [event for event in json.loads(written.read_text()) if event["cat"] == "Node"]
    assert {node["args"]["provider"] for node in nodes} == {"CPUExecutionProvider"}


def test_weights_outside_the_file_are_refused(
    exported: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the other file is absent, or in the working directory, where it would be found."""
    network = onnx.load_from_string(exported)
    onnx.save(
        network, tmp_path / "model.onnx", save_as_external_data=True, location="weights",
        size_threshold=0,
    )  # fmt: skip
    content = (tmp_path / "model.onnx").read_bytes()
    for folder in (tmp_path, tmp_path.parent):
        monkeypatch.chdir(folder)
        with pytest.raises(ModelError, match="its weights inside"):
            OnnxEngine(content)

"""Options of onnxruntime, and its failures."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from model.errors import (
    DeviceError,
    EngineError,
    EngineMemoryError,
    ModelError,
    OptionError,
    SpecError,
)
from model.inference.engine import (
    CAS,
    FEATURES,
    LENGTHS,
    Device,
    EngineConfig,
    OnnxEngine,
    open_session,
)
from model.spec import METADATA_KEY, ModelSpec


def has_cuda() -> bool:
    """Returns whether onnxruntime can compute on a GPU here."""
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


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


def test_bytes_that_are_no_network_are_refused(exported: bytes) -> None:
    """Text, an empty file and a truncated file; the error is not one of memory."""
    for damaged in (b"text", b"", exported[: len(exported) // 2]):
        with pytest.raises(ModelError, match=r"not a readable ONNX network: [^\n]+$"):
            OnnxEngine(damaged)


def test_padded_batch_equals_single_videos(exported: bytes) -> None:
    """Padding has no influence in onnxruntime either."""
    engine = OnnxEngine(exported)
    features_BTD = np.random.default_rng(0).standard_normal((3, 20, 8), dtype=np.float32)
    lengths_B = np.array([20, 5, 1])
    cas_BTC = engine.cas_batch(features_BTD, lengths_B)
    for features_TD, cas_TC, length in zip(features_BTD, cas_BTC, lengths_B, strict=True):
        np.testing.assert_allclose(cas_TC[:length], engine.cas(features_TD[:length]), atol=1e-5)


def test_spec_is_inside_the_file(exported: bytes, spec: ModelSpec) -> None:
    """No second file is needed."""
    assert OnnxEngine(exported).spec == spec


def test_file_without_spec_is_refused(exported: bytes) -> None:
    """The message names the key and the remedy."""
    loaded = onnx.load_from_string(exported)
    del loaded.metadata_props[:]
    with pytest.raises(SpecError, match=f"'{METADATA_KEY}'; expected a file from `ecm export`"):
        OnnxEngine(loaded.SerializeToString())


def test_int8_file_needs_a_proof(exported: bytes, spec: ModelSpec) -> None:
    """Without one, a wrong sum on this CPU would go unnoticed."""
    loaded = onnx.load_from_string(exported)
    loaded.metadata_props[0].value = replace(spec, precision="int8").to_json()
    with pytest.raises(ModelError, match="no proof of its arithmetic"):
        OnnxEngine(loaded.SerializeToString())


INPUTS = {FEATURES: ["batch", "snippets", 8], LENGTHS: ["batch"]}
OUTPUTS = {CAS: ["batch", None, 3]}


@pytest.mark.parametrize(
    ("inputs", "outputs", "reason"),
    [
        ({}, {}, None),
        ({"mask": ["batch"]}, {}, r"got \['features', 'lengths', 'mask'\] and \['cas'\]"),
        ({}, {"scores": ["batch", 3]}, r"got \['features', 'lengths'\] and \['cas', 'scores'\]"),
        (
            {FEATURES: ["batch", 8]},
            {},
            r"features with 3 axes .* got shape \['batch', 8\]",
        ),
        ({FEATURES: [1, "snippets", 8]}, {}, "expected features .* any number of videos"),
        ({FEATURES: ["batch", 9, 8]}, {}, "expected features .* any number of videos and snippets"),
        ({LENGTHS: ["batch", 1]}, {}, "expected lengths with 1 axes"),
        ({LENGTHS: [2]}, {}, "expected lengths with 1 axes and any number of videos"),
        ({}, {CAS: ["batch", "snippets", 3, 1]}, "expected cas with 3 axes"),
        ({}, {CAS: [1, "snippets", 3]}, "expected cas .* any number of videos"),
        ({FEATURES: ["batch", "snippets", 9]}, {}, "9 channels and 3 classes, .* has 8 and 3"),
        ({}, {CAS: ["batch", "snippets", 4]}, "8 channels and 4 classes, .* has 8 and 3"),
    ],
)
def test_network_that_contradicts_its_spec_is_refused(
    exported: bytes,
    monkeypatch: pytest.MonkeyPatch,
    inputs: dict[str, list[object]],
    outputs: dict[str, list[object]],
    reason: str | None,
) -> None:
    """Other inputs and outputs, other axes, fixed lengths, other sizes."""
    for name, shapes in (("get_inputs", INPUTS | inputs), ("get_outputs", OUTPUTS | outputs)):
        nodes = [SimpleNamespace(name=key, shape=shape) for key, shape in shapes.items()]
        monkeypatch.setattr(onnxruntime.InferenceSession, name, lambda _, nodes=nodes: nodes)
    if reason is None:
        assert OnnxEngine(exported, EngineConfig("cpu")).device == "cpu"
        return
    with pytest.raises(SpecError, match=reason):
        OnnxEngine(exported)


@pytest.mark.parametrize(
    ("config", "machine", "expected"),
    [
        (EngineConfig("cpu", threads=1, instances=3), 4, ["Shared"]),
        (EngineConfig("cpu"), 1, ["Shared"]),
        (EngineConfig("cpu", threads=3), 1, ["Shared"]),
        (EngineConfig("cpu"), 4, ["WideOrNarrow", 4, 1]),
        (EngineConfig("cpu", threads=2), 4, ["Instances", 2]),
        (EngineConfig("cpu", threads=2, instances=3), 4, ["Instances", 2, 2, 2]),
    ],
)
def test_sessions_and_their_threads_follow_the_options(
    exported: bytes,
    monkeypatch: pytest.MonkeyPatch,
    config: EngineConfig,
    machine: int,
    expected: list[object],
) -> None:
    """One core needs one session; threads that are chosen count for each instance."""
    opened: list[int] = []
    create = onnxruntime.InferenceSession

    def record(content: bytes, options: Any, **more: object) -> object:
        opened.append(options.intra_op_num_threads)
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
        assert options.log_severity_level == 4
        return create(content, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    monkeypatch.setattr("model.inference.engine.cores", lambda: machine)
    engine = OnnxEngine(exported, config)
    kind, *threads = expected
    assert type(engine._sessions).__name__ == kind
    assert opened == (threads or [config.threads or machine])


@pytest.mark.skipif(has_cuda(), reason="there is a CUDA GPU")
def test_required_cuda_that_is_absent_is_an_error(exported: bytes) -> None:
    """There is no silent fallback to the CPU."""
    with pytest.raises(DeviceError, match="CUDA"):
        OnnxEngine(exported, EngineConfig(require_cuda=True))
    assert OnnxEngine(exported, EngineConfig(device="auto")).device == "cpu"


@pytest.mark.parametrize("instances", [1, 3])
def test_gpu_has_a_session_for_each_instance(
    exported: bytes, monkeypatch: pytest.MonkeyPatch, instances: int
) -> None:
    """Threads of the CPU do not matter there."""
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda _: providers)
    engine = OnnxEngine(exported, EngineConfig("cpu", instances=instances, threads=1))
    assert engine.device == "cuda"
    assert engine._sessions._idle.qsize() == instances


@pytest.mark.skipif(has_cuda(), reason="there is a CUDA GPU")
@pytest.mark.parametrize(("device", "warnings"), [("cuda", 1), ("auto", 0), ("cpu", 0)])
def test_wanted_cuda_that_is_absent_is_a_warning(
    exported: bytes, caplog: pytest.LogCaptureFixture, device: Device, warnings: int
) -> None:
    """The CPU is used, and the message has the remedy."""
    assert open_session(exported, EngineConfig(device)).get_providers() == ["CPUExecutionProvider"]
    assert len(caplog.records) == warnings
    assert caplog.text.count("extra `service`; the CPU is used") == warnings


@pytest.mark.parametrize("change", [{"threads": -1}, {"instances": 0}])
def test_options_out_of_range_are_refused(change: dict[str, int]) -> None:
    """0 threads are the default."""
    with pytest.raises(OptionError, match=f"{next(iter(change))} must be in"):
        EngineConfig(**change)
    assert EngineConfig(threads=0, instances=1) == EngineConfig()


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

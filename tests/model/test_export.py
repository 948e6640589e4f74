from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from model.engine import EngineConfig, OnnxEngine
from model.errors import DeviceError, ModelError, SpecError
from model.export import write_onnx
from model.localizer import localize_video
from model.network import Ecm
from model.spec import METADATA_KEY, ModelSpec
from training.evaluation import TorchEngine


@pytest.mark.parametrize("snippets", [1, 2, 3, 50, 333])
def test_torch_and_onnx_give_the_same_cas_and_segments(
    exported: bytes, network: Ecm, spec: ModelSpec, snippets: int
) -> None:
    """Whatever the length, to 1e-4.

    Without NMS, which decides between equal scores by their last digit.
    """
    spec = replace(spec, localization=replace(spec.localization, nms="none"))
    features_TD = np.random.default_rng(snippets).standard_normal((snippets, 8), dtype=np.float32)
    found = [
        localize_video(engine, features_TD, spec, duration_s=10.0)
        for engine in (TorchEngine(network), OnnxEngine(exported))
    ]
    np.testing.assert_allclose(found[0].cas_TC, found[1].cas_TC, atol=1e-4)
    rows = [[(s.start_s, s.end_s, s.score) for s in result.segments] for result in found]
    by_time = [sorted(some, key=lambda row: (round(row[0], 3), round(row[1], 3))) for some in rows]
    np.testing.assert_allclose(by_time[0], by_time[1], atol=1e-3)


def test_padded_batch_equals_single_videos(exported: bytes) -> None:
    """In onnxruntime as in torch."""
    engine = OnnxEngine(exported)
    features_BTD = np.random.default_rng(0).standard_normal((3, 20, 8), dtype=np.float32)
    lengths_B = np.array([20, 5, 1])
    cas_BTC = engine.cas_batch(features_BTD, lengths_B)
    for features_TD, cas_TC, length in zip(features_BTD, cas_BTC, lengths_B, strict=True):
        np.testing.assert_allclose(cas_TC[:length], engine.cas(features_TD[:length]), atol=1e-5)


def test_spec_travels_inside_the_file(exported: bytes, spec: ModelSpec) -> None:
    """Nothing beside the file is needed."""
    assert OnnxEngine(exported).spec == spec


def test_bytes_that_are_no_network_are_refused(exported: bytes) -> None:
    """Text, nothing, and a file cut short."""
    for damaged in (b"text", b"", exported[: len(exported) // 2]):
        with pytest.raises(ModelError):
            OnnxEngine(damaged)


def test_file_without_spec_or_with_a_contradicting_one_is_refused(
    exported: bytes, spec: ModelSpec
) -> None:
    """It says what is missing or what differs."""
    loaded = onnx.load_from_string(exported)
    del loaded.metadata_props[:]
    with pytest.raises(SpecError, match=METADATA_KEY):
        OnnxEngine(loaded.SerializeToString())
    other = spec.to_json().replace('"feature_dim":8', '"feature_dim":9')
    loaded.metadata_props.add(key=METADATA_KEY, value=other)
    with pytest.raises(SpecError, match="8 channels"):
        OnnxEngine(loaded.SerializeToString())


def test_an_export_that_computes_something_else_is_refused(
    tmp_path: Path, network: Ecm, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check after the export compares with torch."""
    monkeypatch.setattr(
        "model.engine.OnnxEngine.cas_batch", lambda *_: np.zeros((2, 37, 3), dtype=np.float32)
    )
    with pytest.raises(ModelError, match="differ"):
        write_onnx(network, spec, tmp_path / "model.onnx")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_required_cuda_that_is_absent_is_an_error(exported: bytes) -> None:
    """No silent fall-back to the CPU."""
    with pytest.raises(DeviceError, match="CUDA"):
        OnnxEngine(exported, EngineConfig(require_cuda=True))
    assert OnnxEngine(exported, EngineConfig(device="auto")).device == "cpu"

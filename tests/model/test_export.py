"""Export to ONNX, compared with torch."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from model.errors import FeatureError, ModelError
from model.export import HALF_TOLERANCE, check_equal, write_onnx
from model.inference.engine import OnnxEngine
from model.network import Ecm, EcmConfig
from model.predict import predict_video
from model.spec import ModelSpec, Precision
from training.measurement.evaluation import TorchEngine


@pytest.mark.parametrize("snippets", [1, 2, 3, 50, 333])
def test_torch_and_onnx_give_the_same_cas_and_segments(
    exported: bytes, network: Ecm, spec: ModelSpec, snippets: int
) -> None:
    """Both agree to 1e-4 at any length.

    Without NMS, because it decides between equal scores by their last digit.
    """
    spec = replace(spec, localization=replace(spec.localization, nms="none"))
    features_TD = np.random.default_rng(snippets).standard_normal((snippets, 8), dtype=np.float32)
    found = [
        predict_video(engine, features_TD, spec, duration_s=10.0)
        for engine in (TorchEngine(network), OnnxEngine(exported))
    ]
    np.testing.assert_allclose(found[0].cas_TC, found[1].cas_TC, atol=1e-4)
    rows = [[(s.start_s, s.end_s, s.score) for s in result.segments] for result in found]
    by_time = [sorted(some, key=lambda row: (round(row[0], 3), round(row[1], 3))) for some in rows]
    np.testing.assert_allclose(by_time[0], by_time[1], atol=1e-3)


@pytest.fixture(scope="module")
def wide() -> Ecm:
    """A network whose weights are most of its file, for features of an unusual scale."""
    torch.manual_seed(0)
    network = Ecm(EcmConfig(64, 3, hidden_width=256, standardized=True)).eval()
    network.standardize.mean_D.fill_(1e6)
    network.standardize.deviation_D.fill_(1e4)
    return network


@pytest.fixture(scope="module")
def halved(wide: Ecm, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of that network in float16."""
    path = tmp_path_factory.mktemp("halved") / "model.onnx"
    write_onnx(wide, wide_spec("float16"), path)
    return path.read_bytes()


def wide_spec(precision: Precision) -> ModelSpec:
    return ModelSpec(("a", "b", "c"), 64, snippets=16, topk_ratio=0.25, precision=precision)


def raw_features(shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    normal = np.random.default_rng(3).standard_normal(shape, dtype=np.float32)
    return np.float32(1e6) + np.float32(1e4) * np.float32(scale) * normal


@pytest.mark.parametrize("scale", [1, 100])
@pytest.mark.parametrize("snippets", [1, 50, 333])
def test_half_precision_is_close_to_torch(
    wide: Ecm, halved: bytes, snippets: int, scale: float
) -> None:
    """This includes features a hundred times as far from the mean, beyond the range of float16."""
    features_TD = raw_features((snippets, 64), scale)
    expected_TC, got_TC = (
        engine.cas(features_TD) for engine in (TorchEngine(wide), OnnxEngine(halved))
    )
    assert got_TC.dtype == np.float32
    tolerance = HALF_TOLERANCE * np.abs(expected_TC).max()
    np.testing.assert_allclose(got_TC, expected_TC, atol=tolerance, rtol=0)
    assert np.abs(got_TC - expected_TC).max() > 0


def test_half_precision_pads_as_float32_does(halved: bytes) -> None:
    """A padded batch has the same output as single videos."""
    engine = OnnxEngine(halved)
    features_BTD, lengths_B = raw_features((3, 20, 64)), np.array([20, 5, 1])
    cas_BTC = engine.cas_batch(features_BTD, lengths_B)
    for features_TD, cas_TC, length in zip(features_BTD, cas_BTC, lengths_B, strict=True):
        single_TC = engine.cas(features_TD[:length])
        tolerance = HALF_TOLERANCE * np.abs(cas_BTC).max()
        np.testing.assert_allclose(cas_TC[:length], single_TC, atol=tolerance, rtol=0)
        assert not cas_TC[length:].any()


def test_half_precision_halves_the_file(wide: Ecm, halved: bytes, tmp_path: Path) -> None:
    """Weights are float16, inputs and output stay float32, and the spec records the precision."""
    write_onnx(wide, wide_spec("float32"), tmp_path / "model.onnx")
    assert len(halved) < 0.55 * (tmp_path / "model.onnx").stat().st_size
    graph = onnx.load_from_string(halved).graph
    ends = [*graph.input, *graph.output]
    kinds = {end.name: end.type.tensor_type.elem_type for end in ends}
    floats, integers = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    assert kinds == {"features": floats, "lengths": integers, "cas": floats}
    weights = {w.name: w.data_type for w in graph.initializer if "conv" in w.name}
    assert set(weights.values()) == {onnx.TensorProto.FLOAT16}
    assert OnnxEngine(halved).spec.precision == "float16"


def test_values_beyond_float16_are_refused(wide: Ecm, halved: bytes, tmp_path: Path) -> None:
    """A network is refused at its export, and features when they arrive."""
    features_TD = raw_features((9, 64), 1e6)
    spec = wide_spec("float16")
    with pytest.raises(FeatureError, match="not finite"):
        predict_video(OnnxEngine(halved), features_TD, spec, duration_s=1.0)
    loud = copy.deepcopy(wide)
    with torch.no_grad():
        loud.classifier.conv_1.weight *= 1e4
    write_onnx(loud, wide_spec("float32"), tmp_path / "float32.onnx")
    with pytest.raises(ModelError, match="overflows; export it in float32"):
        write_onnx(loud, spec, tmp_path / "float16.onnx")


@pytest.mark.parametrize(("largest", "allowed"), [(0.5, 1e-4), (-20, 2e-3)])
def test_small_differences_are_allowed(largest: float, allowed: float) -> None:
    """Relative to the largest value, or to 1 where all are smaller."""
    expected = np.float32([[0, 0.25, largest]])
    for sign in (1, -1):
        check_equal(expected + np.float32([[0, 0.9 * sign * allowed, 0]]), expected, Path("m"))
        with pytest.raises(ModelError, match=r"^m: onnxruntime and torch differ by 0\.00"):
            check_equal(expected + np.float32([[0, 1.1 * sign * allowed, 0]]), expected, Path("m"))


def test_half_precision_may_differ_by_four_roundings() -> None:
    """A value near 1 is rounded by 2^-11 at most."""
    expected = np.float32([[0.25, 1]])
    check_equal(expected + np.float32(3.9 / 2048), expected, Path("m"), HALF_TOLERANCE)
    with pytest.raises(ModelError, match="differ"):
        check_equal(expected + np.float32(4.1 / 2048), expected, Path("m"), HALF_TOLERANCE)


def test_export_that_differs_from_torch_is_refused(
    tmp_path: Path, network: Ecm, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check after the export compares the file with torch."""
    monkeypatch.setattr(
        "model.inference.engine.OnnxEngine.cas_batch",
        lambda *_: np.zeros((2, 37, 3), dtype=np.float32),
    )
    with pytest.raises(ModelError, match="differ"):
        write_onnx(network, spec, tmp_path / "model.onnx")

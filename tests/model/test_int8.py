"""The int8 form of a network, compared with its definition, with torch, and on an old CPU."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.errors import DataError, ModelError
from model.inference.engine import OnnxEngine
from model.inference.proof import PROOF_KEY, Proof
from model.int8 import (
    FULL_WEIGHT,
    SAFE_WEIGHT,
    Int8Convolution,
    Int8Network,
    Range,
    measure_ranges,
)
from model.network import Ecm, EcmConfig
from model.spec import METADATA_KEY, ModelSpec

FEATURE_DIM = 64


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "standardized"])
def network(request: pytest.FixtureRequest) -> Ecm:
    """A network, with and without standardization of features of an unusual scale."""
    torch.manual_seed(0)
    network = Ecm(EcmConfig(FEATURE_DIM, 3, hidden_width=128, standardized=request.param)).eval()
    if request.param:
        network.standardize.mean_D.fill_(100)
        network.standardize.deviation_D.copy_(torch.linspace(1, 9, FEATURE_DIM))
    return network


def features(network: Ecm, snippets: int, seed: int = 0) -> np.ndarray:
    """Returns features of the scale that the network expects, above 0 more often than below."""
    values_TD = np.random.default_rng(seed).normal(0.5, 1, (snippets, FEATURE_DIM))
    if network.config.standardized:
        values_TD = values_TD * network.standardize.deviation_D.numpy() + 100
    return values_TD.astype(np.float32)


@pytest.fixture(scope="module")
def form(network: Ecm) -> Int8Network:
    """The int8 form of the network."""
    videos = [features(network, 200, seed) for seed in range(1, 4)]
    return Int8Network.of(network, measure_ranges(network, videos))


def spec_of_int8(spec: ModelSpec) -> ModelSpec:
    return replace(spec, feature_dim=FEATURE_DIM, precision="int8", training_features=None)


@pytest.fixture
def path(form: Int8Network, spec: ModelSpec, tmp_path: Path) -> Path:
    """Its ONNX file."""
    path = tmp_path / "model.int8.onnx"
    form.write(spec_of_int8(spec), path)
    return path


@pytest.mark.parametrize("snippets", [1, 2, 3, 40])
def test_the_graph_computes_its_definition(
    path: Path, form: Int8Network, network: Ecm, snippets: int
) -> None:
    """Exact integer sums in numpy give the logits of onnxruntime at any length.

    An activation between two integers may be rounded either way, which changes logits by 1e-4.
    """
    features_TD = features(network, snippets)
    expected_TC = form.cas(features_TD)
    got_TC = OnnxEngine(path.read_bytes()).cas(features_TD)
    np.testing.assert_allclose(got_TC, expected_TC, atol=1e-3 * np.abs(expected_TC).max())


def test_int8_is_near_float32(path: Path, network: Ecm) -> None:
    """The logits differ by at most a thirtieth of the largest one, with random weights."""
    features_TD = features(network, 100)
    with torch.inference_mode():
        exact_TC = network(torch.from_numpy(features_TD)[None])[0].numpy()
    got_TC = OnnxEngine(path.read_bytes()).cas(features_TD)
    assert np.abs(got_TC - exact_TC).max() < np.abs(exact_TC).max() / 30


def test_padded_batch_equals_single_videos(path: Path, network: Ecm) -> None:
    """Padding has no influence, and the output there is 0."""
    engine = OnnxEngine(path.read_bytes())
    features_BTD = np.stack([features(network, 20, seed) for seed in range(3)])
    lengths_B = np.array([20, 5, 1])
    cas_BTC = engine.cas_batch(features_BTD, lengths_B)
    for features_TD, cas_TC, length in zip(features_BTD, cas_BTC, lengths_B, strict=True):
        np.testing.assert_allclose(cas_TC[:length], engine.cas(features_TD[:length]), atol=1e-6)
        assert not cas_TC[length:].any()


def saturating(self: Int8Convolution, values_TI: np.ndarray) -> np.ndarray:
    """Computes a convolution as a CPU without VNNI: pairs of products are added in 16 bits."""
    scale, zero = self.inputs.scale, int(self.inputs.zero)
    integers_TI = np.clip(np.round(values_TI / scale) + zero, 0, 255)
    padded_TI = np.pad(integers_TI, ((1, 1), (0, 0)), constant_values=zero)
    joined_TY = np.concatenate([padded_TI[:-2], integers_TI, padded_TI[2:]], axis=1)
    weight_YH = self.weight_YH.astype(np.float64)
    sums_TH = sum(
        np.clip(joined_TY[:, y : y + 2] @ weight_YH[y : y + 2], -(2**15), 2**15 - 1)
        for y in range(0, len(weight_YH), 2)
    )
    sums_TH = sums_TH - zero * weight_YH.sum(axis=0)
    return (sums_TH * (scale * self.scale_H) + self.bias_H).astype(np.float32)


def test_a_cpu_that_saturates_is_recognized(
    form: Int8Network, network: Ecm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its logits differ from the proof. Weights of 7 bits fit, so they differ in nothing."""
    proof = form.proof()
    safe = Int8Network.of(network, tuple(c.inputs for c in form.convolutions), SAFE_WEIGHT)
    safe_proof = safe.proof()
    proof.check(form)
    monkeypatch.setattr(Int8Convolution, "__call__", saturating)
    with pytest.raises(ModelError, match="no VNNI"):
        proof.check(form)
    safe_proof.check(safe)


@pytest.mark.parametrize("proof", [None, "", "[]", '[[[2, 8], "AAAA"], [[1], "?"]]'])
def test_a_file_without_a_sound_proof_is_refused(path: Path, proof: str | None) -> None:
    """The error names the remedy."""
    model = onnx.load(path)
    kept = {one.key: one.value for one in model.metadata_props if one.key == METADATA_KEY}
    onnx.helper.set_model_props(model, kept | ({} if proof is None else {PROOF_KEY: proof}))
    with pytest.raises(ModelError, match="no proof of its arithmetic; export it again"):
        OnnxEngine(model.SerializeToString())


def test_a_changed_proof_is_noticed(path: Path, form: Int8Network) -> None:
    """A CPU that gives other logits than the file states does not serve it."""
    proof = form.proof()
    model = onnx.load(path)
    other = Proof(proof.features_TD, proof.cas_TC * np.float32(1.01)).metadata()
    kept = {one.key: one.value for one in model.metadata_props}
    onnx.helper.set_model_props(model, kept | other)
    with pytest.raises(ModelError, match="computes the int8 network wrongly"):
        OnnxEngine(model.SerializeToString())


@given(st.floats(-1e6, 0), st.floats(0, 1e6))
def test_a_range_has_an_integer_for_0(low: float, high: float) -> None:
    """0 is exact, because padding has to stay 0; no value of the range is off by more than a step.

    Range -1 to 4 has scale 5/255 and 51 for 0.
    """
    inputs = Range(low, high)
    assert 0 <= int(inputs.zero) <= 255
    for value in (low, high):
        integer = np.clip(round(value / float(inputs.scale)) + int(inputs.zero), 0, 255)
        assert abs((integer - int(inputs.zero)) * inputs.scale - value) <= 1.001 * inputs.scale


def test_range_of_the_example() -> None:
    """-1 to 4 in 255 steps; an empty range has a step above 0."""
    inputs = Range(-1.0, 4.0)
    assert (inputs.scale, inputs.zero) == (pytest.approx(5 / 255), 51)
    assert (Range(0.0, 0.0).scale, Range(0.0, 0.0).zero) == (pytest.approx(1e-12 / 255), 0)


def test_two_products_of_safe_weights_fit_in_16_bits() -> None:
    """Full weights use all of 8 bits, and their products may not fit."""
    assert (FULL_WEIGHT, SAFE_WEIGHT) == (127, 63)
    assert 2 * 255 * SAFE_WEIGHT < 2**15 <= 2 * 255 * (SAFE_WEIGHT + 2)


def test_weights_are_rounded_by_output_channel() -> None:
    """The worked example of `Int8Convolution.of`."""
    conv = torch.nn.Conv1d(1, 1, 3)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[[0.5, -1.0, 0.25]]]))
    rounded = Int8Convolution.of(conv, Range(0, 1), FULL_WEIGHT)
    assert rounded.weight_YH[:, 0].tolist() == [64, -127, 32]
    assert rounded.scale_H == pytest.approx([1 / 127])


def test_ranges_cover_the_features_of_all_videos(network: Ecm) -> None:
    """They grow with each video, contain 0, and need at least one video."""
    videos = [features(network, 30, seed) for seed in range(3)]
    one, both = measure_ranges(network, videos[:1]), measure_ranges(network, videos)
    for small, large in zip(one, both, strict=True):
        assert large.low <= small.low <= 0 <= small.high <= large.high
    with pytest.raises(DataError, match="got none"):
        measure_ranges(network, [])

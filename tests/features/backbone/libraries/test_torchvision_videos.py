"""Video networks of torchvision as backbones, with seeded weights."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from features.backbone.export import write_backbone
from features.backbone.extractor import open_onnx
from features.backbone.libraries.named import build_backbone
from features.backbone.libraries.request import SEED, Backbone, ClipRequest
from model.errors import ModelError, OptionError

SMALLEST = "torchvision:mc3_18"


@pytest.fixture(scope="module")
def smallest(torchvision: ModuleType) -> Backbone:
    return build_backbone(SMALLEST, ClipRequest(), "random")


def library_network(name: str) -> Any:
    from torchvision.models import get_model

    torch.manual_seed(SEED)
    return get_model(name, weights=None).eval()


def library_features(name: str, frames_THWC: np.ndarray) -> np.ndarray:
    """Returns the input of the library's classifier after the library's own preprocessing."""
    from torchvision.models import get_model_weights

    preset = get_model_weights(name).DEFAULT.transforms()
    preset.resize_size = [min(preset.resize_size)]  # the aspect ratio is kept
    network, seen = library_network(name), []
    layer = next(getattr(network, n) for n in ("fc", "classifier", "head") if hasattr(network, n))
    layer.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network(preset(torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)[None]))
    return seen[0].flatten(2).mean(dim=2)[0].numpy() if seen[0].ndim > 2 else seen[0][0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r2plus1d_18", "s3d", "swin3d_t", "mvit_v2_s"])
def test_features_equal_those_before_the_librarys_classifier(
    name: str, torchvision: ModuleType, tmp_path: Path
) -> None:
    """From the same frames, through the spec and onnxruntime, in a batch and alone."""
    backbone = build_backbone(f"torchvision:{name}", ClipRequest(), "random")
    write_backbone(backbone.network, backbone.spec, tmp_path / "backbone.onnx")
    extractor = open_onnx(tmp_path / "backbone.onnx")
    side = extractor.short_side
    shape = (3, extractor.clip_frames + 1, side, side, 3)
    snippets = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    rows_SD = np.stack(list(extractor.features(snippets)))
    expected_D = library_features(name, snippets[1][backbone.spec.picks])
    np.testing.assert_allclose(rows_SD[1], expected_D, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        rows_SD[2], next(extractor.features(snippets[2:])), rtol=1e-4, atol=1e-5
    )


def test_spec_is_that_of_the_librarys_metadata(smallest: Backbone) -> None:
    """16 frames at 15 a second are spread over 27 frames at 25, around snippets of 0.6 s."""
    spec = smallest.spec
    assert (spec.rate_fps, spec.snippet_frames, spec.clip_length, spec.seen_frames) == (
        25.0, 15, 27, 16,
    )  # fmt: skip
    assert (spec.short_side, spec.size, spec.inputs[0].layout) == (128, 112, "NCTHW")
    assert spec.inputs[0].mean == (0.43216, 0.394666, 0.37645)
    assert spec.inputs[0].scale == 1 / 255
    assert spec.licence is not None
    assert "BSD" in spec.licence
    assert "mc3_18, random weights" in str(spec.source)


def test_weights_come_from_a_file_with_any_classifier(smallest: Backbone, tmp_path: Path) -> None:
    """A fine-tuned network of the same kind fits; its hash is recorded."""
    network = library_network("mc3_18")
    network.fc = nn.Linear(512, 7)
    network.stem[0].weight.data += 1
    torch.save({"model": network.state_dict()}, tmp_path / "tuned.pt")
    loaded = build_backbone(SMALLEST, ClipRequest(), tmp_path / "tuned.pt")
    torch.testing.assert_close(loaded.network.state_dict()["stem.0.weight"],
                               network.stem[0].weight.data)  # fmt: skip
    assert set(loaded.spec.weights) == {"mc3_18"}
    assert loaded.spec.id != smallest.spec.id


def test_weights_of_another_network_are_refused_by_name(smallest: Backbone, tmp_path: Path) -> None:
    """Missing names, unknown names and other shapes are listed."""
    state: dict[str, Tensor] = library_network("mc3_18").state_dict()
    state["other.weight"] = state.pop("stem.0.weight")
    state["layer1.0.conv1.0.weight"] = torch.zeros(3)
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(ModelError) as failure:
        build_backbone(SMALLEST, ClipRequest(), tmp_path / "other.pt")
    assert "1 missing (stem.0.weight); 1 unknown (other.weight)" in str(failure.value)
    assert "layer1.0.conv1.0.weight (3,) instead of (64, 64, 3, 3, 3)" in str(failure.value)


def test_weights_that_are_not_finite_are_refused(smallest: Backbone, tmp_path: Path) -> None:
    """The message names the tensor."""
    state = library_network("mc3_18").state_dict()
    state["stem.0.weight"][0] = torch.nan
    torch.save(state, tmp_path / "nan.pt")
    with pytest.raises(ModelError, match=r"stem\.0\.weight contains NaN"):
        build_backbone(SMALLEST, ClipRequest(), tmp_path / "nan.pt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:resnet18", "no video network 'resnet18'.*r2plus1d_18"),
        ("torchvision:mc3_18.IMAGENET", "no weights 'IMAGENET'"),
    ],
)
def test_unknown_names_are_refused(name: str, message: str, torchvision: ModuleType) -> None:
    """The message lists the names that exist."""
    with pytest.raises(OptionError, match=message):
        build_backbone(name, ClipRequest(), "random")

"""Image networks of timm as backbones, with seeded weights."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from features.backbone.export import write_backbone
from features.backbone.extractor import open_onnx
from features.backbone.libraries.named import build_backbone
from features.backbone.libraries.request import SEED, ClipRequest
from model.errors import ModelError, OptionError

SMALL = "test_resnet.r160_in1k"


def test_features_equal_those_of_timm(timm: ModuleType, tmp_path: Path) -> None:
    """The mean over three images of a snippet, preprocessed as timm's configuration says."""
    backbone = build_backbone(f"timm:{SMALL}", ClipRequest(frames=3), "random")
    write_backbone(backbone.network, backbone.spec, tmp_path / "backbone.onnx")
    extractor = open_onnx(tmp_path / "backbone.onnx")
    side, size = extractor.short_side, backbone.spec.size
    assert (side, size) == (int(160 / 0.95), 160)
    snippet = np.random.default_rng(0).integers(0, 256, (16, side, side, 3), np.uint8)
    torch.manual_seed(SEED)
    network = timm.create_model(SMALL, pretrained=False, num_classes=0).eval()
    config = network.pretrained_cfg
    edge = (side - size) // 2
    images = torch.from_numpy(snippet[[2, 7, 12], edge : edge + size, edge : edge + size]) / 255
    images = (images - torch.tensor(config["mean"])) / torch.tensor(config["std"])
    with torch.inference_mode():
        expected_D = network(images.permute(0, 3, 1, 2)).mean(dim=0)
    row_D = next(extractor.features([snippet]))
    np.testing.assert_allclose(row_D, expected_D.numpy(), rtol=1e-4, atol=1e-4)


def test_licence_is_that_of_the_weights(timm: ModuleType) -> None:
    """Weights of one network may have another licence than those of the next."""
    backbone = build_backbone(f"timm:{SMALL}", ClipRequest(), "random")
    assert backbone.spec.licence == "apache-2.0"
    assert backbone.spec.seen_frames == 1


def test_weights_of_another_network_are_refused(timm: ModuleType, tmp_path: Path) -> None:
    """The first names that do not fit are listed."""
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "vit.pt")
    with pytest.raises(ModelError, match=r"missing \(conv1.*unknown \(cls_token"):
        build_backbone(f"timm:{SMALL}", ClipRequest(), tmp_path / "vit.pt")


@pytest.mark.parametrize("name", ["resnet5000", "test_resnet.unknown_tag"])
def test_unknown_names_are_refused(name: str, timm: ModuleType) -> None:
    """Close names are listed."""
    with pytest.raises(OptionError, match=f"no network {name!r}"):
        build_backbone(f"timm:{name}", ClipRequest(), "random")

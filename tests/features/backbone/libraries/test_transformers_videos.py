"""Video networks of transformers as backbones, from a folder with a small VideoMAE."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from features.backbone.export import write_backbone
from features.backbone.extractor import open_onnx
from features.backbone.libraries.named import build_backbone
from features.backbone.libraries.request import ClipRequest
from model.errors import ModelError, OptionError

PROCESSOR = {
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.25, 0.3],
    "rescale_factor": 1 / 255,
    "size": {"shortest_edge": 40},
    "crop_size": {"height": 32, "width": 32},
}


@pytest.fixture(scope="module")
def folder(transformers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a repository: configuration, weights, processor and model card."""
    folder = tmp_path_factory.mktemp("videomae")
    config = transformers.VideoMAEConfig(
        image_size=32, patch_size=16, num_frames=4, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=32, num_labels=3,
    )  # fmt: skip
    torch.manual_seed(1)
    transformers.VideoMAEForVideoClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A card\n")
    return folder


def test_features_equal_the_mean_of_the_librarys_hidden_states(
    folder: Path, transformers: ModuleType, tmp_path: Path
) -> None:
    """The weights of a fine-tuned network are used without its classifier."""
    backbone = build_backbone(f"transformers:{folder}", ClipRequest(), "download")
    write_backbone(backbone.network, backbone.spec, tmp_path / "backbone.onnx")
    extractor = open_onnx(tmp_path / "backbone.onnx")
    spec = backbone.spec
    assert (spec.short_side, spec.size, spec.seen_frames, spec.licence) == (
        40, 32, 4, "cc-by-nc-4.0",
    )  # fmt: skip
    snippets = np.random.default_rng(0).integers(0, 256, (3, 16, 40, 40, 3), np.uint8)
    clip = torch.from_numpy(snippets[1][spec.picks, 4:36, 4:36]) / 255
    clip = (clip - torch.tensor(PROCESSOR["image_mean"])) / torch.tensor(PROCESSOR["image_std"])
    network = transformers.VideoMAEModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected_LD = network(clip.permute(0, 3, 1, 2)[None]).last_hidden_state[0]
    rows = list(extractor.features(snippets))
    np.testing.assert_allclose(rows[1], expected_LD.mean(dim=0), rtol=1e-4, atol=1e-4)


def test_weights_come_from_a_file(folder: Path, tmp_path: Path) -> None:
    """Tensors of a fine-tuned network fit; those of another size are refused."""
    from safetensors.torch import load_file, save_file

    weights = folder / "model.safetensors"
    loaded = build_backbone(f"transformers:{folder}", ClipRequest(), weights)
    expected = build_backbone(f"transformers:{folder}", ClipRequest(), "download")
    for name, tensor in expected.network.state_dict().items():
        torch.testing.assert_close(loaded.network.state_dict()[name], tensor)
    small = {name: tensor[:1].clone() for name, tensor in load_file(weights).items()}
    save_file(small, tmp_path / "small.safetensors")
    with pytest.raises(ModelError, match="not the weights of this network"):
        build_backbone(f"transformers:{folder}", ClipRequest(), tmp_path / "small.safetensors")


def test_another_number_of_frames_is_refused(folder: Path) -> None:
    """The network has one embedding for each position in time."""
    with pytest.raises(OptionError, match="clips of 4 frames, not 8"):
        build_backbone(f"transformers:{folder}", ClipRequest(frames=8), "random")


def test_absent_folder_and_image_network_are_refused(
    folder: Path, transformers: ModuleType, tmp_path: Path
) -> None:
    """The messages name the file or the kind of network."""
    with pytest.raises(ModelError, match="cannot read"):
        build_backbone(f"transformers:{tmp_path}", ClipRequest(), "random")
    transformers.ViTConfig().save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    with pytest.raises(OptionError, match=r"type 'vit'.*num_frames"):
        build_backbone(f"transformers:{tmp_path}", ClipRequest(), "random")

"""Export of a backbone to ONNX."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from features.backbone.export import write_backbone
from features.backbone.extractor import open_onnx
from features.backbone.spec import BackboneSpec, InputSpec
from model.errors import ModelError

SPEC = BackboneSpec(
    (InputSpec("rgb", "NTHWC", scale=1.0), InputSpec("flow", "NCTHW", scale=1.0, stream="dis")),
    "features",
    snippet_frames=2,
    short_side=40,
    size=32,
    weights={"rgb": "abc"},
)


class Small(nn.Module):
    """A convolution over RGB beside the means of the flow."""

    def __init__(self) -> None:
        """Draws the weights."""
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv3d(3, 4, 2)

    def forward(self, rgb_NTHWC: Tensor, flow_NCTHW: Tensor) -> Tensor:
        """Returns (N, 6)."""
        seen = self.layer(rgb_NTHWC.permute(0, 4, 1, 2, 3)).relu()
        return torch.cat([seen.mean(dim=(2, 3, 4)), flow_NCTHW.mean(dim=(2, 3, 4))], dim=1)


def test_one_file_contains_network_and_spec_for_any_batch(tmp_path: Path) -> None:
    """It is opened without any other file."""
    write_backbone(Small(), SPEC, tmp_path / "small.onnx")
    extractor = open_onnx(tmp_path / "small.onnx")
    assert (extractor.spec, extractor.feature_dim) == (SPEC, 6)
    snippets = np.random.default_rng(0).integers(0, 256, (3, 3, 40, 40, 3), np.uint8)
    rows = list(extractor.features(snippets))
    np.testing.assert_allclose(rows[2], next(extractor.features(snippets[2:])), rtol=1e-5)


def test_export_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    """A network with random output has no equal in ONNX."""

    class Fickle(Small):
        calls = 0

        def forward(self, rgb_NTHWC: Tensor, flow_NCTHW: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(rgb_NTHWC, flow_NCTHW) + self.calls

    with pytest.raises(ModelError, match="differ"):
        write_backbone(Fickle(), SPEC, tmp_path / "fickle.onnx")

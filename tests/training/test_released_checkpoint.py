from pathlib import Path

import pytest
import torch

from model.errors import ModelError, ModelNotFoundError
from model.network import Ecm
from training.configuration.presets import preset
from training.released_checkpoint import NAMES, import_released

LABELS = ["jump", "run", "throw"]


def released_state(network: Ecm) -> dict[str, torch.Tensor]:
    ours = network.state_dict()
    return {released: ours[name] for released, name in NAMES.items()}


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3},
                                  lambda s: {"module." + k: v for k, v in s.items()}])  # fmt: skip
def test_released_checkpoints_compute_the_same(network: Ecm, tmp_path: Path, wrap: object) -> None:
    """Bare, wrapped, or from several GPUs: the CAS is the same."""
    torch.save(wrap(released_state(network)), tmp_path / "ecm.pth")  # type: ignore[operator]
    recipe = preset("thumos14-released")
    checkpoint = import_released(tmp_path / "ecm.pth", LABELS, recipe, "test")
    features_BTD = torch.randn(1, 9, 8)
    torch.testing.assert_close(checkpoint.network()(features_BTD), network(features_BTD))
    assert checkpoint.spec.labels == tuple(LABELS)
    assert checkpoint.spec.localization.protocol == "released"


def test_other_files_are_refused(network: Ecm, tmp_path: Path) -> None:
    """A missing file, text, other parameters, and another number of classes."""
    recipe, path = preset("thumos14-released"), tmp_path / "ecm.pth"
    with pytest.raises(ModelNotFoundError):
        import_released(path, LABELS, recipe, "test")
    path.write_bytes(b"text")
    with pytest.raises(ModelError, match="plain tensors"):
        import_released(path, LABELS, recipe, "test")
    torch.save({"something": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"missing.*unknown"):
        import_released(path, LABELS, recipe, "test")
    torch.save(released_state(network), path)
    with pytest.raises(ModelError, match="3 classes, but 2 labels"):
        import_released(path, LABELS[:2], recipe, "test")

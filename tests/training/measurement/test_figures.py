"""Figures beside a checkpoint."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.errors import ModelError
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from training.measurement.figures import add_figures, figures_path, weights_digest


def test_figures_are_those_of_the_checkpoint(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Two subsets add up; the file of the checkpoint is not written, nor that of another one."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    save_checkpoint(checkpoint, tmp_path / BEST)
    before = (tmp_path / LAST).read_bytes()
    add_figures(tmp_path / LAST, checkpoint.network_state, {"test.mAP": 0.5})
    add_figures(tmp_path / LAST, checkpoint.network_state, {"validation.mAP": 0.25})
    expected = {"test.mAP": 0.5, "validation.mAP": 0.25}
    assert load_checkpoint(tmp_path).spec.evaluation == expected
    assert load_checkpoint(tmp_path / BEST).spec.evaluation == {}
    assert (tmp_path / LAST).read_bytes() == before


def test_evaluation_beside_training_does_not_put_an_epoch_back(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Epoch 10 is measured while `fit` writes epoch 60: 60 stays, without the figures of 10."""
    save_checkpoint(replace(checkpoint, epoch=10), tmp_path / LAST)
    measured = load_checkpoint(tmp_path)
    later = {name: value + 1 for name, value in checkpoint.network_state.items()}
    save_checkpoint(replace(checkpoint, epoch=60, network_state=later), tmp_path / LAST)
    add_figures(tmp_path / LAST, measured.network_state, {"test.mAP": 0.5})
    last = load_checkpoint(tmp_path)
    assert (last.epoch, last.spec.evaluation) == (60, {})
    add_figures(tmp_path / LAST, last.network_state, {"test.tagging_mAP": 0.5})
    assert load_checkpoint(tmp_path).spec.evaluation == {"test.tagging_mAP": 0.5}


def test_damaged_figures_are_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """The error names the file beside the checkpoint."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    figures_path(tmp_path / LAST).write_text("{")
    with pytest.raises(ModelError, match=r"last\.figures\.json"):
        load_checkpoint(tmp_path)


def test_digest_depends_on_values_names_and_shapes() -> None:
    """Not on the device or the memory layout."""
    weight = torch.arange(6.0).reshape(2, 3)
    digest = weights_digest({"a": weight})
    assert digest == weights_digest({"a": weight.t().contiguous().t()})
    others = ({"b": weight}, {"a": weight + 1}, {"a": weight.reshape(3, 2)})
    assert digest not in map(weights_digest, others)

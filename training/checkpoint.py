"""Checkpoints: a training run on disk.

    runs/X/last.pt     state after the last epoch; `fit` resumes from it
    runs/X/best.pt     state after the epoch with the best validation score, if there is one
    runs/X/events.*    TensorBoard's curves
    runs/X/last.figures.json, best.figures.json    figures of `ecm evaluate`

A run's folder means its last checkpoint, because tagging accuracy saturates long before
localization does. A checkpoint contains tensors and text alone, so loading one runs no code.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.errors import ModelError, ModelNotFoundError
from model.network import Ecm, EcmConfig
from model.spec import ModelSpec
from model.whole_file import whole_file
from training.configuration.recipe import Recipe
from training.data_digest import DataDigest, digest_from_json, digest_to_json
from training.measurement.figures import read_figures

LAST, BEST = "last.pt", "best.pt"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after an epoch."""

    spec: ModelSpec
    """Spec of the network."""
    recipe: Recipe
    """Recipe of the run."""
    network_config: EcmConfig
    """Shape of the network."""
    network_state: dict[str, Tensor]
    """Weights of the network; their moving average where the recipe has `ema_decay`."""
    optimizer_state: dict[str, Any]
    """Moments of Adam; empty in an imported network."""
    epoch: int
    """Epochs done."""
    best_score: float | None = None
    """Best validation score so far; None without validation."""
    improved_epoch: int = 0
    """Epochs done when the validation score last improved."""
    raw_state: dict[str, Tensor] = field(default_factory=dict)
    """Weights that the optimizer updates, where `network_state` is their average; else empty."""
    training_data: DataDigest | None = None
    """Digest of the training videos; None in an imported network and in older files."""
    validation_data: DataDigest | None = None
    """Digest of the validation videos; None without any and in older files."""

    @property
    def finished(self) -> bool:
        """Whether the recipe has no further epoch to train."""
        patience = self.recipe.patience
        is_out_of_patience = patience is not None and self.epoch - self.improved_epoch >= patience
        return self.epoch >= self.recipe.epochs or is_out_of_patience

    def is_best(self, score: float | None) -> bool:
        """Returns whether a validation score equals or exceeds the best one so far."""
        return score is not None and (self.best_score is None or score >= self.best_score)

    def after_epoch(
        self,
        spec: ModelSpec,
        score: float | None,
        *,
        network_state: dict[str, Tensor],
        raw_state: dict[str, Tensor],
        optimizer_state: dict[str, Any],
    ) -> "Checkpoint":
        """Returns the checkpoint of the next epoch.

        Args:
            spec: Spec of the network after that epoch.
            score: Validation score after that epoch.
            network_state: Weights to keep.
            raw_state: Weights that the optimizer updates, if others.
            optimizer_state: Moments of Adam.
        """
        improved = self.is_best(score) and score != self.best_score
        return replace(
            self,
            spec=spec,
            network_state=network_state,
            raw_state=raw_state,
            optimizer_state=optimizer_state,
            epoch=self.epoch + 1,
            best_score=score if improved else self.best_score,
            improved_epoch=self.epoch + 1 if improved else self.improved_epoch,
        )

    def network(self) -> Ecm:
        """Returns the network with its weights, in evaluation mode."""
        network = Ecm(self.network_config)
        network.load_state_dict(self.network_state)
        return network.eval()


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Writes a checkpoint. Whatever happens, `path` contains the whole old or new one."""
    content = {
        "spec": checkpoint.spec.to_json(),
        "recipe": checkpoint.recipe.to_json(),
        "network_config": asdict(checkpoint.network_config),
        "network_state": checkpoint.network_state,
        "optimizer_state": checkpoint.optimizer_state,
        "epoch": checkpoint.epoch,
        "best_score": checkpoint.best_score,
        "improved_epoch": checkpoint.improved_epoch,
        "raw_state": checkpoint.raw_state,
        "training_data": _digest_text(checkpoint.training_data),
        "validation_data": _digest_text(checkpoint.validation_data),
    }
    with whole_file(path) as file:
        torch.save(content, file)


def remove_run(out: Path) -> None:
    """Removes the checkpoints, figures and curves of a run, last.pt first."""
    for path in (out / LAST, out / BEST, *out.glob("*.figures.json"), *out.glob("events.*")):
        path.unlink(missing_ok=True)


def find_checkpoint(path: Path) -> Path:
    """Returns the path itself, or last.pt in it if it is the folder of a run.

    Raises:
        ModelNotFoundError: There is no such file.
    """
    if path.is_dir():
        path = path / LAST
    if not path.is_file():
        raise ModelNotFoundError(f"no checkpoint {path}; expected a run's folder or a .pt file")
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """Returns the checkpoint in a file or in a run's folder; see `find_checkpoint`.

    Its spec contains the figures that `ecm evaluate` wrote beside the file.

    Raises:
        ModelNotFoundError: There is no such file.
        ModelError: The file cannot be read.
    """
    path = find_checkpoint(path)
    content = read_tensors(path)
    try:
        spec = ModelSpec.from_json(content["spec"])
        figures = spec.evaluation | read_figures(path, content["network_state"])
        return Checkpoint(
            spec=replace(spec, evaluation=figures),
            recipe=Recipe.from_json(content["recipe"]),
            network_config=EcmConfig(**content["network_config"]),
            network_state=content["network_state"],
            optimizer_state=content["optimizer_state"],
            epoch=content["epoch"],
            best_score=content["best_score"],
            improved_epoch=content.get("improved_epoch", 0),
            raw_state=content.get("raw_state", {}),
            training_data=_digest(content.get("training_data")),
            validation_data=_digest(content.get("validation_data")),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"{path} is not a checkpoint of this software: {error}") from error


def _digest_text(digest: DataDigest | None) -> str | None:
    return None if digest is None else digest_to_json(digest)


def _digest(text: str | None) -> DataDigest | None:
    return None if text is None else digest_from_json(text)


def read_tensors(path: Path) -> dict[str, Any]:
    """Returns the named tensors and values that torch saved in a file, without running code.

    Raises:
        ModelError: The file is not one of torch's, or contains more than tensors and plain values.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler raise any type
        raise ModelError(f"{path} is not a readable file of plain tensors: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(
            f"{path}: expected a dictionary of named values, got a {type(content).__name__}"
        )
    return content

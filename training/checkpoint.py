"""A training run on disk.

    runs/X/last.pt     after the newest epoch; `fit` goes on from it
    runs/X/best.pt     the epoch that told the validation videos' tags best, where there are any

A folder stands for its last checkpoint: tags are told well long before actions are localized well.
    runs/X/events.*    TensorBoard

A checkpoint holds plain tensors and text, so opening one runs no code of its own.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.errors import ModelError, ModelNotFoundError
from model.network import Ecm, EcmConfig
from model.spec import ModelSpec
from model.whole_file import whole_file
from training.recipe import Recipe

LAST, BEST = "last.pt", "best.pt"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after an epoch."""

    spec: ModelSpec
    """What the network says of itself."""
    recipe: Recipe
    """How it is trained."""
    network_config: EcmConfig
    """Its shape."""
    network_state: dict[str, Tensor]
    """Its weights, averaged where the recipe says so."""
    optimizer_state: dict[str, Any]
    """Adam's moments; empty in an imported network."""
    epoch: int
    """Epochs done."""
    best_score: float | None = None
    """The best validation score so far."""
    improved_epoch: int = 0
    """Epochs done when the validation score last got better."""
    raw_state: dict[str, Tensor] = field(default_factory=dict)
    """The weights that the optimizer moves, where `network_state` is their average; else empty."""

    @property
    def finished(self) -> bool:
        """Whether its recipe has no further epoch to train."""
        patience = self.recipe.patience
        tired = patience is not None and self.epoch - self.improved_epoch >= patience
        return self.epoch >= self.recipe.epochs or tired

    def network(self) -> Ecm:
        """Returns the network with its weights, in evaluation mode."""
        network = Ecm(self.network_config)
        network.load_state_dict(self.network_state)
        return network.eval()


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Writes a checkpoint; whatever happens, `path` holds a whole one, the old or the new."""
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
    }
    with whole_file(path) as file:
        torch.save(content, file)


def find_checkpoint(path: Path) -> Path:
    """Returns the file itself, or of a run's folder the last checkpoint.

    Raises:
        ModelNotFoundError: there is none.
    """
    if path.is_dir():
        path = path / LAST
    if not path.is_file():
        raise ModelNotFoundError(f"no checkpoint {path}; expected a run's folder or a .pt file")
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """Returns the checkpoint in a file or a run's folder; see `find_checkpoint`.

    Raises:
        ModelNotFoundError: there is none.
        ModelError: it cannot be read.
    """
    path = find_checkpoint(path)
    content = read_tensors(path)
    try:
        return Checkpoint(
            spec=ModelSpec.from_json(content["spec"]),
            recipe=Recipe.from_json(content["recipe"]),
            network_config=EcmConfig(**content["network_config"]),
            network_state=content["network_state"],
            optimizer_state=content["optimizer_state"],
            epoch=content["epoch"],
            best_score=content["best_score"],
            improved_epoch=content.get("improved_epoch", 0),
            raw_state=content.get("raw_state", {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a checkpoint of this software: {error}") from error


def read_tensors(path: Path) -> dict[str, Any]:
    """Returns what torch saved under names in a file; nothing in it is run.

    Raises:
        ModelError: it is no such file, or holds more than tensors and plain values.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever the bytes lead it to
        raise ModelError(f"{path} is not a readable file of plain tensors: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no named values but a {type(content).__name__}")
    return content

"""Figures of an evaluation, in a file beside the checkpoint that they belong to.

`ecm evaluate` writes no checkpoint, because a running `ecm fit` may replace it at the same time.
The file names the weights that were measured; after another epoch, its figures no longer count.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config
from torch import Tensor

from model.errors import ModelError
from model.validation import parse_json
from model.whole_file import whole_file


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one network by name."""

    weights: str
    """Digest of the weights that were measured; see `weights_digest`."""
    figures: dict[str, float] = field(default_factory=dict)
    """Metrics by name."""


_ADAPTER: TypeAdapter[Figures] = TypeAdapter(Figures)


def figures_path(checkpoint: Path) -> Path:
    """Returns the file beside a checkpoint: `last.figures.json` beside `last.pt`."""
    return checkpoint.with_suffix(".figures.json")


def weights_digest(network_state: Mapping[str, Tensor]) -> str:
    """Returns the BLAKE2b of weights and their names, in hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in network_state.items():
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_figures(checkpoint: Path, network_state: Mapping[str, Tensor]) -> dict[str, float]:
    """Returns the figures of a checkpoint's weights; none if others were measured.

    Raises:
        ModelError: The file beside the checkpoint is damaged.
    """
    path = figures_path(checkpoint)
    if not path.is_file():
        return {}
    content = parse_json(_ADAPTER, path.read_bytes(), name=str(path), error_class=ModelError)
    return content.figures if content.weights == weights_digest(network_state) else {}


def add_figures(
    checkpoint: Path, network_state: Mapping[str, Tensor], figures: Mapping[str, float]
) -> None:
    """Adds figures of the weights that were measured to the file beside their checkpoint."""
    known = read_figures(checkpoint, network_state)
    content = Figures(weights_digest(network_state), known | dict(figures))
    with whole_file(figures_path(checkpoint)) as file:
        file.write(_ADAPTER.dump_json(content, indent=1))

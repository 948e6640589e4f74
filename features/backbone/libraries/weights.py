"""Weights of a network from a file of named tensors."""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from model.errors import ModelError, ModelNotFoundError

_NESTED = ("state_dict", "model")
"""Names under which training programs store the tensors of a network."""
_SHOWN = 3
"""Names of each kind that an error lists."""


def load_weights(network: nn.Module, path: Path, *, unused: Collection[str] = ()) -> None:
    """Loads the tensors of a file into a network.

    Args:
        network: the network, without its classifier.
        path: a file of torch or of safetensors; no code in it is run.
        unused: names of layers, such as the classifier, whose tensors are ignored.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelError: the file has other tensors than the network, or one that is not finite.
    """
    layers = tuple(f"{name}." for name in unused)
    state = {n: value for n, value in read_state(path).items() if not n.startswith(layers)}
    _check_fits(state, network.state_dict(), path)
    check_finite(state, path)
    network.load_state_dict(state, strict=False)


def read_state(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a file by name.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelError: the file cannot be read, or contains no tensors.
    """
    if not path.is_file():
        raise ModelNotFoundError(f"no file of weights {path}; expected a .pt or .safetensors file")
    content = _read(path)
    for name in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    named = content.items() if isinstance(content, Mapping) else ()
    state = {str(name): value for name, value in named if isinstance(value, Tensor)}
    if not state:
        raise ModelError(f"{path}: expected named tensors, got a {type(content).__name__} without")
    return state


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # comes with timm and with transformers

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the readers raise any type
        raise ModelError(f"{path} is not a readable file of plain tensors: {error}") from error


def _check_fits(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path) -> None:
    """Checks names and shapes.

    Raises:
        ModelError: they do not fit, with the first names that do not.
    """
    # The number of batches seen, which only training uses, is absent from some files.
    missing = [n for n in wanted if n not in state and not n.endswith("num_batches_tracked")]
    problems = {
        "missing": missing,
        "unknown": [name for name in state if name not in wanted],
        "of another shape": [
            f"{name} {tuple(value.shape)} instead of {tuple(wanted[name].shape)}"
            for name, value in state.items()
            if name in wanted and value.shape != wanted[name].shape
        ],
    }
    found = [
        f"{len(names)} {kind} ({', '.join(names[:_SHOWN])}{', ...' * (len(names) > _SHOWN)})"
        for kind, names in problems.items()
        if names
    ]
    if found:
        raise ModelError(f"{path}: not the weights of this network; tensors: {'; '.join(found)}")


def check_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Checks the values of tensors.

    Raises:
        ModelError: one is NaN or infinite.
    """
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise ModelError(f"{path}: {name} contains NaN or infinity")

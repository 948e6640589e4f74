"""Import of checkpoints of the released ECM code."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from model.errors import ModelError, ModelNotFoundError, OptionError
from model.network import EcmConfig
from model.spec import ModelSpec, Provenance
from training.checkpoint import Checkpoint, read_tensors
from training.configuration.recipe import Recipe

NAMES = {
    "base_module.conv_1.weight": "classifier.conv_1.weight",
    "base_module.conv_1.bias": "classifier.conv_1.bias",
    "base_module.conv_2.weight": "classifier.conv_2.weight",
    "base_module.conv_2.bias": "classifier.conv_2.bias",
    "classifier_module.conv.weight": "classifier.conv_3.weight",
    "attention_module.conv_1.weight": "transition.weight",
    "attention_module.conv_1.bias": "transition.bias",
}
"""Released name of every parameter, and its name here."""


def import_released(path: Path, labels: Sequence[str], recipe: Recipe, software: str) -> Checkpoint:
    """Returns a released checkpoint as a checkpoint of this software.

    Args:
        path: A .pth file. Only its tensors are read, so none of its code runs.
        labels: Classes in the order of the network's output.
        recipe: Recipe that the network was trained with, usually a preset.
        software: Name and version of this software.

    Raises:
        ModelNotFoundError: There is no such file.
        ModelError: The file is no such checkpoint, or has another number of classes.
        OptionError: The recipe takes the number of snippets from the training videos.
    """
    state = _rename(_state_dict(path), path)
    width, channels, _ = state["classifier.conv_1.weight"].shape
    classes = state["classifier.conv_3.weight"].shape[0]
    if classes != len(labels):
        raise ModelError(f"{path} has {classes} classes, but {len(labels)} labels are given")
    if recipe.snippets is None:
        raise OptionError(
            "snippets must be a number, because a released checkpoint comes without training videos"
        )
    spec = ModelSpec(
        labels=tuple(labels),
        feature_dim=channels,
        snippets=recipe.snippets,
        topk_ratio=recipe.objective.topk_ratio,
        activation=recipe.objective.activation,
        sampling=recipe.sampling,
        localization=recipe.localization,
        provenance=Provenance(
            software=software, recipe=recipe.to_json(), data=f"released checkpoint {path.name}"
        ),
    )
    config = EcmConfig(channels, classes, hidden_width=width, dropout=recipe.dropout)
    checkpoint = Checkpoint(spec, recipe, config, state, optimizer_state={}, epoch=recipe.epochs)
    try:
        checkpoint.network()
    except RuntimeError as error:
        raise ModelError(f"{path}: its weights do not fit the ECM network: {error}") from error
    return checkpoint


def _state_dict(path: Path) -> Mapping[str, Tensor]:
    """Returns the parameters of any of the nested forms in which the code saves them."""
    if not path.is_file():
        raise ModelNotFoundError(f"no checkpoint {path}")
    content = read_tensors(path)
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(content.get(key), dict):
            content = content[key]
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _rename(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    if set(state) != set(NAMES):
        raise ModelError(
            f"{path} does not have the released network's parameters; "
            f"missing {sorted(set(NAMES) - set(state))}, unknown {sorted(set(state) - set(NAMES))}"
        )
    return {NAMES[name]: value.float() for name, value in state.items()}

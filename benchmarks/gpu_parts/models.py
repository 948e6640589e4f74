"""Networks with random weights, exported as the product exports them.

Axes: B videos, T snippets, D feature channels.
"""

import shutil
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gpu_parts.bench import Bench
from gpu_parts.card import Form
from model.export import OPSET, AsImages, InHalf, save_onnx
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine
from model.localization.localize import LocalizationConfig
from model.network import Ecm, EcmConfig
from model.repository import PublishedModel, list_models, publish
from model.spec import METADATA_KEY, ModelSpec, Precision

NAME = "ecm"
_SPREAD = 20
"""Factor on the last layer, so that logits differ and segments are found."""


def repository(bench: Bench, precision: Precision = "float32") -> Path:
    """Returns a repository with one model of the released shape; written at the first call."""
    folder = bench.scratch / f"models-{precision}"
    if not list_models(folder):
        sizes = bench.sizes
        network = random_network(sizes.feature_dim, sizes.classes, sizes.hidden_width)
        write_model(folder, network, sizes.snippets, precision)
    return folder


def random_network(feature_dim: int, classes: int, hidden_width: int) -> Ecm:
    """Returns a network that has learned nothing, always with the same weights."""
    torch.manual_seed(0)
    network = Ecm(EcmConfig(feature_dim, classes, hidden_width)).eval()
    with torch.no_grad():
        network.classifier.conv_3.weight *= _SPREAD
    return network


def write_model(
    folder: Path,
    network: Ecm,
    snippets: int,
    precision: Precision = "float32",
    *,
    exported_by: Callable[..., None] | None = None,
) -> PublishedModel:
    """Publishes a network in a repository; checks of its output are left to the parts.

    Args:
        folder: the repository.
        network: in evaluation mode.
        snippets: length on which a service warms it up.
        precision: of its arithmetic.
        exported_by: `export` if not given, or `trace`.
    """
    config, spec = network.config, spec_of(network, snippets, precision)
    pictures = AsImages(network)
    form = InHalf(pictures) if precision == "float16" else pictures
    example = (torch.zeros(2, 8, config.feature_dim), torch.tensor([8, 5]))
    return publish(
        folder,
        NAME,
        lambda path: (exported_by or export)(
            form.eval(),
            example,
            path,
            names=([FEATURES, LENGTHS], [CAS]),
            free=({0: "batch", 1: "snippets"}, {0: "batch"}),
            metadata={METADATA_KEY: spec.to_json()},
        ),
    )


def spec_of(network: Ecm, snippets: int, precision: Precision) -> ModelSpec:
    """Returns the spec of a network whose classes have numbers for names."""
    config = network.config
    return ModelSpec(
        labels=tuple(f"class {number}" for number in range(config.classes)),
        feature_dim=config.feature_dim,
        snippets=snippets,
        topk_ratio=0.125,
        snippet_s=0.64,
        precision=precision,
        localization=LocalizationConfig(class_threshold=0.1),
    )


def publish_copy(source: Path, folder: Path) -> PublishedModel:
    """Adds the model of one repository to another as a further version."""
    (model,) = list_models(source)
    return publish(folder, NAME, lambda path: shutil.copyfile(model.path, path))


def open_model(bench: Bench, form: Form, device: str | None = None) -> OnnxEngine:
    """Returns the engine for the released shape, with CUDA required where the bench has it."""
    on_cuda = (device or bench.device) == "cuda"
    config = EngineConfig("cuda" if on_cuda else "cpu", require_cuda=on_cuda, tf32=form == "tf32")
    return OnnxEngine(content(bench, "float16" if form == "float16" else "float32"), config)


def content(bench: Bench, precision: Precision = "float32") -> bytes:
    """Returns the bytes of the model's file."""
    (model,) = list_models(repository(bench, precision))
    return model.path.read_bytes()


def random_features(*shape: int) -> NDArray[np.float32]:
    """Returns features of unit variance, always the same for a shape."""
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


def export(
    network: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    names: tuple[list[str], list[str]],
    free: tuple[dict[int, str], ...],
    metadata: Mapping[str, str],
) -> None:
    """Writes a network as `save_onnx` does, also where onnxscript is absent."""
    write = save_onnx if find_spec("onnxscript") else trace
    write(network, example, path, names=names, free=free, metadata=metadata)


def trace(
    network: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    names: tuple[list[str], list[str]],
    free: tuple[dict[int, str], ...],
    metadata: Mapping[str, str],
) -> None:
    """Writes the same layers by torch's older exporter: no onnxscript, and faster."""
    axes = dict(zip(names[0], free, strict=True)) | {names[1][0]: free[0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecation
        torch.onnx.export(
            network,
            example,
            str(path),
            input_names=names[0],
            output_names=names[1],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    written = onnx.load(path)
    for key, value in metadata.items():
        written.metadata_props.add(key=key, value=value)
    onnx.save(written, path)

"""Triton configuration (config.pbtxt) of each model, so that Triton serves the same repository.

Axes: B videos, T snippets, D feature channels, C classes.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from model.errors import LocalizerError, ModelNotFoundError, OptionError
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine
from model.repository import PublishedModel, list_models
from model.spec import ModelSpec
from model.whole_file import whole_file
from service.inference_protocol.schemas import ModelConfig, TensorConfig, TensorMetadata

CONFIG_FILE = "config.pbtxt"
ANY = -1
"""Size of a free axis."""


def input_tensors(spec: ModelSpec) -> list[TensorMetadata]:
    """Returns the network's inputs: features (B, T, D) and lengths (B,)."""
    features = TensorMetadata(name=FEATURES, datatype="FP32", shape=[ANY, ANY, spec.feature_dim])
    return [features, TensorMetadata(name=LENGTHS, datatype="INT64", shape=[ANY])]


def output_tensors(spec: ModelSpec) -> list[TensorMetadata]:
    """Returns the network's output: class activation sequences (B, T, C)."""
    return [TensorMetadata(name=CAS, datatype="FP32", shape=[ANY, ANY, len(spec.labels)])]


def model_config(name: str, spec: ModelSpec) -> ModelConfig:
    """Returns the Triton configuration of a model.

    `max_batch_size` is 0, so the videos are an ordinary axis, because a batch holds videos of one
    padded length and Triton must not join requests of different lengths.
    """
    return ModelConfig(
        name=name,
        platform="onnxruntime_onnx",
        backend="onnxruntime",
        max_batch_size=0,
        input=[_configured(tensor) for tensor in input_tensors(spec)],
        output=[_configured(tensor) for tensor in output_tensors(spec)],
    )


def config_text(config: ModelConfig) -> str:
    """Returns a configuration as protobuf text; Triton then serves every version."""
    lines = [
        f'name: "{config.name}"',
        f'backend: "{config.backend}"',
        f"max_batch_size: {config.max_batch_size}",
        "version_policy: { all: {} }",
        *_blocks("input", config.input),
        *_blocks("output", config.output),
    ]
    return "\n".join(lines) + "\n"


def write_configs(repository: Path, *, force: bool) -> Iterator[Path | LocalizerError]:
    """Writes the configuration of every model; yields each file, or the error instead.

    Args:
        repository: folder with NAME/VERSION/model.onnx.
        force: whether to overwrite files with other content.
    """
    models = list_models(repository)
    if not models:
        yield ModelNotFoundError(f"no model in {repository}; expected NAME/VERSION/model.onnx")
    for name, versions in groupby(models, key=lambda model: model.name):
        try:
            text = config_text(_config_of_all(name, list(versions)))
            yield _write(repository / name / CONFIG_FILE, text, force=force)
        except LocalizerError as error:
            yield error


def _config_of_all(name: str, versions: Sequence[PublishedModel]) -> ModelConfig:
    """Returns the configuration that all versions of a model share."""
    configs = [model_config(name, _spec(published)) for published in versions]
    for published, config in zip(versions, configs, strict=True):
        if config != configs[-1]:
            raise OptionError(
                f"versions {published.version} and {versions[-1].version} of {name!r} differ in "
                "channels or classes, but Triton expects one shape for a model; publish one of "
                "them under another name"
            )
    return configs[-1]


def _spec(published: PublishedModel) -> ModelSpec:
    try:
        content, _ = published.read()
        return OnnxEngine(content, EngineConfig(device="cpu", threads=1)).spec
    except LocalizerError as error:
        raise type(error)(f"model {published.name}/{published.version}: {error}") from error


def _write(path: Path, text: str, *, force: bool) -> Path:
    present = path.read_text() if path.exists() else text
    if present != text and not force:
        raise OptionError(f"{path} exists with other content; --force overwrites it")
    with whole_file(path) as file:
        file.write(text.encode())
    return path


def _configured(tensor: TensorMetadata) -> TensorConfig:
    return TensorConfig(name=tensor.name, data_type=f"TYPE_{tensor.datatype}", dims=tensor.shape)


def _blocks(kind: str, tensors: Sequence[TensorConfig]) -> list[str]:
    return [
        f'{kind} {{ name: "{tensor.name}" data_type: {tensor.data_type} dims: {tensor.dims} }}'
        for tensor in tensors
    ]

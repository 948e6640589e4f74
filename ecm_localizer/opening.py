"""Finding and loading a model: a folder of a model repository, an ONNX file or a training run."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ecm_localizer.installation import needed
from model.errors import ModelError, ModelNotFoundError, OptionError
from model.inference.engine import Device, EngineConfig, OnnxEngine
from model.predict import CasEngine
from model.repository import MODEL_FILE, PublishedModel, list_models, list_versions
from model.spec import ModelSpec

_CHECKPOINT = "last.pt"
_LISTED = 8
_EXPECTED = (
    "expected a model of a repository (NAME/VERSION/model.onnx), an .onnx file or the folder of a "
    "training run"
)


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that is ready to run."""

    engine: CasEngine
    """Runs the network."""
    spec: ModelSpec
    """Labels, clock and localization settings."""
    name: str
    """Name in the repository, of the file or of the training run."""
    version: int | None
    """Version in the repository; None outside one."""


def open_model(path: Path, *, version: int | None, device: Device, threads: int) -> OpenedModel:
    """Returns the model at a path.

    Raises:
        OptionError: device, threads or version is out of its range.
        ModelNotFoundError: the path holds no model, several models, or not this version.
        ModelError: the file is damaged, or its spec cannot be read.
        DeviceError: CUDA was requested and is not available.
    """
    _check(version, device, threads)
    if path.suffix == ".pt" or (path / _CHECKPOINT).is_file():
        return _open_run(path, device)
    try:
        published = _find(path, version)
    except OSError as error:
        raise ModelNotFoundError(f"{error.filename} cannot be read: {error.strerror}") from error
    config = EngineConfig(device=device, require_cuda=device == "cuda", threads=threads)
    content, _ = published.read()
    try:
        engine = OnnxEngine(content, config)
    except ModelError as error:
        raise type(error)(f"{published.path}: {error}") from error
    return OpenedModel(engine, engine.spec, published.name, published.version or None)


def _check(version: int | None, device: Device, threads: int) -> None:
    if device not in get_args(Device):
        raise OptionError(f"device is one of {', '.join(get_args(Device))}, not {device!r}")
    if not _is_count(threads, least=0):
        raise OptionError(f"threads is a whole number from 0, not {threads!r}")
    if version is not None and not _is_count(version, least=1):
        raise OptionError(f"a model's version is a whole number from 1, not {version!r}")


def _is_count(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _find(path: Path, version: int | None) -> PublishedModel:
    """Returns the model at a path that is no training run; the newest version by default."""
    models = _candidates(path)
    names = sorted({model.name for model in models})
    if not models:
        raise ModelNotFoundError(f"{path} {_contents(path)}; {_EXPECTED}")
    if len(names) > 1:
        raise ModelNotFoundError(f"{path} holds the models {', '.join(names)}; open one of them")
    wanted = [model for model in models if version in (None, model.version)]
    if not wanted:
        known = ", ".join(str(model.version) for model in models)
        raise ModelNotFoundError(f"{path} has no version {version}, only {known}")
    return wanted[-1]


def _candidates(path: Path) -> list[PublishedModel]:
    """Returns the models that a path may mean, the newest version of each last."""
    if path.is_file():
        return [_of_file(path)]
    if (path / MODEL_FILE).is_file():
        return [_of_file(path / MODEL_FILE)]
    return list_versions(Path(os.path.abspath(path))) or list_models(path)  # noqa: PTH100


def _of_file(path: Path) -> PublishedModel:
    """Returns the model in a file; version 0 outside a repository."""
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100, because a link keeps its name
    if path.name == MODEL_FILE:
        for model in list_versions(folder.parent):
            if model.path.parent == folder:
                return model
    return PublishedModel(path.stem, 0, path)


def _contents(path: Path) -> str:
    """Returns a clause about what is at a path that is no model."""
    if not path.exists():
        return "does not exist"
    names = sorted(entry.name for entry in path.iterdir())
    if not names:
        return "is an empty folder"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"holds no model but {', '.join(names[:_LISTED])}{more}"


def _open_run(path: Path, device: Device) -> OpenedModel:
    """Returns the last checkpoint of a training run, which torch runs."""
    with needed("a training run", extra="train", packages=("model", "training")):
        import torch

        from training.checkpoint import load_checkpoint
        from training.measurement.evaluation import TorchEngine
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = load_checkpoint(path)
    engine = TorchEngine(checkpoint.network().to(device), device)
    return OpenedModel(engine, checkpoint.spec, path.stem, None)

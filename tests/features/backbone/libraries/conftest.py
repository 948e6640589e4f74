"""Libraries of backbones, which tests use where they are installed."""

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest
import torch

_kept: list[torch.library.Library] = []
"""Definitions of operators, which last as long as these objects."""


def missing(name: str) -> str:
    """Returns the reason for which a test is skipped."""
    return f"needs {name}, an extra of its own: pip install 'ecm-localizer[{name}]'"


def import_torchvision() -> ModuleType:
    """Imports torchvision.

    If it was built for another torch, its compiled operators do not load. Its video networks do not
    use them, so declarations of two operators are enough.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)
    return importlib.import_module("torchvision")


@pytest.fixture(scope="session")
def torchvision() -> ModuleType:
    """The library torchvision."""
    if find_spec("torchvision") is None or find_spec("PIL") is None:
        pytest.skip(missing("torchvision"))
    return import_torchvision()


@pytest.fixture(scope="session")
def timm(torchvision: ModuleType) -> ModuleType:
    """The library timm, which imports torchvision."""
    return pytest.importorskip("timm", reason=missing("timm"))


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    """The library transformers, which imports torchvision if it is there."""
    if find_spec("torchvision"):
        import_torchvision()
    return pytest.importorskip("transformers", reason=missing("transformers"))

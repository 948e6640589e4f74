"""Where pip put the libraries of CUDA."""

import importlib.util
import os
from pathlib import Path


def library_path() -> str:
    """Returns the folders with CUDA's libraries, as LD_LIBRARY_PATH takes them.

    onnxruntime looks for them beside itself only. They lie elsewhere where it was installed into
    another folder than they were. torch, which finds its own, is not loaded in a service.
    """
    return os.pathsep.join(str(folder) for package in _packages() for folder in _folders(package))


def _packages() -> list[Path]:
    """Returns the folders of NVIDIA's packages, of which there may be several, and of torch."""
    found = []
    for name in ("nvidia", "torch"):
        spec = importlib.util.find_spec(name)
        found += [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    return found


def _folders(package: Path) -> list[Path]:
    """Returns folders such as nvidia/cu13/lib, nvidia/cudnn/lib and torch/lib."""
    return sorted(folder for folder in (package / "lib", *package.glob("*/lib")) if folder.is_dir())

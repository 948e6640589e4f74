"""The card, its driver and the libraries."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import onnxruntime
import torch

from gpu_parts.bench import Bench

_PACKAGES = ("nvidia-cudnn-cu13", "onnxscript", "opencv-contrib-python-headless", "av", "triton")


def run(bench: Bench) -> None:
    """Reports what the figures were measured on; fails where the GPU cannot be used at all."""
    bench.note("python", f"{platform.python_version()}, {os.cpu_count()} processors")
    bench.note("torch", f"{torch.__version__}, CUDA {torch.version.cuda}")
    built_for = getattr(onnxruntime, "cuda_version", "") or "none"
    bench.note("onnxruntime", f"{onnxruntime.__version__}, CUDA {built_for}")
    bench.note("providers", ", ".join(onnxruntime.get_available_providers()))
    bench.note("numpy", np.__version__)
    bench.note("others", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    if bench.device == "cpu":
        return
    bench.expect("torch sees a CUDA GPU", torch.cuda.is_available())
    present = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    bench.expect("onnxruntime has the CUDA provider", present)
    properties = torch.cuda.get_device_properties(0)
    bench.note("card", properties.name)
    bench.figure("memory of the card", properties.total_memory / 2**30, "GiB")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"

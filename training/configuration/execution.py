"""Choices of a training run that depend on the machine: device, memory and threads.

Up to rounding, none of them changes the trained network.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from model.errors import DeviceError
from model.validation import check_ranges


@dataclass(frozen=True, slots=True)
class Execution:
    """Choices of the machine; those of the experiment are in `Recipe`."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device that torch computes on; `auto` takes a CUDA GPU if there is one."""
    micro_batch_size: int | None = None
    """Videos whose gradient is computed at once. A smaller number needs less memory; `none`
    computes all videos of a step at once."""
    compile: bool = False
    """Compile the step with torch.compile. The start takes a minute longer and needs a C++
    compiler."""
    feature_memory_gib: float = 4.0
    """Memory for training features, in GiB. Features that need more are read from disk during
    training."""
    loader_threads: int = 2
    """Threads that load the features of the next steps."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            micro_batch_size="[1, inf)",
            loader_threads="[1, inf)",
            feature_memory_gib="[0, inf)",
        )

    def torch_device(self) -> str:
        """Returns `cpu` or `cuda`.

        Raises:
            DeviceError: `device` is `cuda`, but there is no CUDA GPU.
        """
        return torch_device(self.device)


def torch_device(name: str) -> str:
    """Returns the device that `auto`, `cpu` or `cuda` means on this machine.

    Raises:
        DeviceError: The name is `cuda`, but there is no CUDA GPU.
    """
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise DeviceError.no_cuda("torch", "a GPU with its driver, or the device `cpu`")
    return "cuda" if present and name != "cpu" else "cpu"

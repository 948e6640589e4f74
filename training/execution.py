"""How a run is computed: where, and in which portions. Up to rounding, the result is the same."""

from dataclasses import dataclass
from typing import Literal

import torch

from model.errors import DeviceError, OptionError


@dataclass(frozen=True, slots=True)
class Execution:
    """Choices that follow from the machine, not from the experiment."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where torch computes; `auto` takes a CUDA GPU where there is one."""
    micro_batch_size: int | None = None
    """Videos whose gradient is computed at once and added up; None takes all of a step, and needs
    the memory for them."""
    compile: bool = False
    """Whether torch.compile makes the step faster; takes a minute at the start and a compiler."""
    feature_memory_gib: float = 4.0
    """Training features stay in memory if they fit in so much, else they are read from disk while
    the network computes."""
    loader_threads: int = 2
    """Threads that prepare the next steps' features meanwhile."""

    def __post_init__(self) -> None:
        micro = 1 if self.micro_batch_size is None else self.micro_batch_size
        if min(self.loader_threads, micro) < 1:
            raise OptionError(
                "loader_threads and micro_batch_size must be at least 1, not "
                f"{self.loader_threads} and {self.micro_batch_size}"
            )

    def torch_device(self) -> str:
        """Returns `cpu` or `cuda`.

        Raises:
            DeviceError: CUDA is asked for and absent.
        """
        return torch_device(self.device)


def torch_device(name: str) -> str:
    """Returns what `auto`, `cpu` or `cuda` means on this machine.

    Raises:
        DeviceError: CUDA is asked for and absent.
    """
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise DeviceError.no_cuda("torch", "a GPU with its driver, or the device `cpu`")
    return "cuda" if present and name != "cpu" else "cpu"

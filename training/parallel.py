"""The processes that train one network together, started by torchrun.

Without torchrun, the group has one process and every collective operation is the identity.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")
LONGEST_WAIT = timedelta(days=1)
"""Longest wait for another process: rank 0 alone reads all files at the start, which takes hours
for the largest data sets. Dead processes are noticed by torchrun at once."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The process group, as one of its processes sees it."""

    rank: int = 0
    """Number of this process, from 0."""
    size: int = 1
    """Number of processes."""

    @property
    def is_main(self) -> bool:
        """Whether this process is rank 0, the one that writes files, logs and curves."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Returns the sum of a tensor over all processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def from_main(self, compute: Callable[[], Value]) -> Value:
        """Returns in every process the value that rank 0 computes."""
        if self.size == 1:
            return compute()
        carrier: list[Any] = [compute() if self.is_main else None]
        distributed.broadcast_object_list(carrier)
        value: Value = carrier[0]
        return value

    def share_gradients(self, module: nn.Module, *, find_unused_parameters: bool) -> nn.Module:
        """Returns a module whose backward pass averages the gradients of all processes."""
        if self.size == 1:
            return module
        return DistributedDataParallel(module, find_unused_parameters=find_unused_parameters)

    def gradient_sync(self, module: Any, *, enabled: bool) -> AbstractContextManager[None]:
        """Keeps the gradients of a shared module to this process unless `enabled`."""
        return nullcontext() if enabled or self.size == 1 else module.no_sync()


@contextmanager
def join_process_group(device: str) -> Iterator[ProcessGroup]:
    """Joins the group that torchrun's environment names, for the length of a `with` block."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ProcessGroup()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()

"""The processes that train one network together, started by torchrun; mostly it is one alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class World:
    """This process among all."""

    rank: int = 0
    """Its number; 0 writes files and talks to people."""
    size: int = 1
    """How many there are."""

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Returns the sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def from_leader(self, value: Value) -> Value:
        """Returns the value that the leading process gives, in all of them."""
        if self.size == 1:
            return value
        carrier = [value]
        distributed.broadcast_object_list(carrier)
        return carrier[0]


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Gives the place that torchrun's environment names; without one, a world of one process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()

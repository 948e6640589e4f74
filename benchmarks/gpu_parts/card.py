"""The device under test: its clock, its memory, and the two floors of any batch."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gpu_parts.bench import Device

Form: TypeAlias = Literal["float32", "tf32", "float16"]
_DTYPES = {"float32": torch.float32, "tf32": torch.float32, "float16": torch.float16}


def forms(device: Device) -> tuple[Form, ...]:
    """Returns the arithmetics of a device; a CPU has no TF32, and computes float16 in float32."""
    return ("float32", "tf32", "float16") if device == "cuda" else ("float32",)


def wait_for(device: Device) -> None:
    """Returns when the device has done all that torch asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()


def median_s(work: Callable[[], object], device: Device, turns: int) -> float:
    """Returns the median time of some work; a first turn counts only where it is the only one."""
    times_s = []
    for _ in range(turns + 1):
        wait_for(device)
        start_s = time.perf_counter()
        work()
        wait_for(device)
        times_s.append(time.perf_counter() - start_s)
    return statistics.median(times_s[1:] or times_s)


def used_bytes(device: Device) -> int:
    """Returns the memory of the GPU that all processes use; 0 without one."""
    if device == "cpu":
        return 0
    free_bytes, total_bytes = torch.cuda.mem_get_info()
    return total_bytes - free_bytes


@dataclass(frozen=True, slots=True)
class Floors:
    """Rates that no network can exceed on this device."""

    flop_per_s: float
    """Rate of a product of two large square matrices."""
    bytes_per_s: float
    """Rate of a copy from page-locked memory to the device."""

    def videos_per_s(self, flop: float, copied_bytes: int) -> tuple[float, float]:
        """Returns the most videos a second by arithmetic alone, and by copying alone."""
        return self.flop_per_s / flop, self.bytes_per_s / copied_bytes


def measured_floors(
    device: Device, form: Form, *, matrix_side: int, copied_bytes: int, turns: int
) -> Floors:
    """Returns the floors of one arithmetic."""
    product_s = _product_s(device, form, matrix_side, turns)
    copy_s = _copy_s(device, copied_bytes, turns)
    return Floors(2 * matrix_side**3 / product_s, copied_bytes / copy_s)


def _product_s(device: Device, form: Form, side: int, turns: int) -> float:
    one, other = (torch.randn(side, side, device=device).to(_DTYPES[form]) for _ in range(2))
    product = torch.empty_like(one)
    torch.backends.cuda.matmul.allow_tf32 = form == "tf32"
    try:
        return median_s(lambda: torch.mm(one, other, out=product), device, turns)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def _copy_s(device: Device, size_bytes: int, turns: int) -> float:
    there = torch.empty(size_bytes, dtype=torch.uint8, device=device)
    here = _source(device, size_bytes)
    return median_s(lambda: there.copy_(here, non_blocking=True), device, turns)


def _source(device: Device, size_bytes: int) -> Tensor:
    if device == "cuda":
        return torch.ones(size_bytes, dtype=torch.uint8).pin_memory()
    return torch.from_numpy(np.ones(size_bytes, np.uint8))


def network_flop(snippets: int, feature_dim: int, hidden_width: int, classes: int) -> float:
    """Returns the floating-point operations of the released network on one video.

    Example: 750 snippets, 2,048 channels and units, 20 classes take 37.8e9.
    """
    taps = 3 * feature_dim * hidden_width + 3 * hidden_width**2 + hidden_width * classes
    return 2.0 * snippets * taps

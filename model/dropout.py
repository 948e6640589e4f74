"""Dropout derived from keys instead of from the state of a random generator.

The key of a video alone decides what is dropped in it. Its batch, process and device have no
influence, so one process and several compute the same gradient.

Axes: N keys (videos), X the other axes of the values.
"""

import math
from typing import Any

import torch
from torch import Tensor

LEVELS = 256
"""A mask compares one random byte for each value, so the share is rounded to 1/256."""


def drop(values_NX: Tensor, keys_N: Tensor, share: float) -> Tensor:
    """Returns the values with about a share of each row set to 0 and the others scaled up.

    With share 0.5, a row [1, 2, 3, 4] may become [0, 4, 6, 0].

    Args:
        values_NX: one row for each key; a row may have several axes.
        keys_N: int32; equal keys drop values at equal positions.
        share: in [0, 1].
    """
    level = min(round(share * LEVELS), LEVELS - 1)
    if level == 0:
        return values_NX
    kept_NX = random_bytes(keys_N, values_NX.shape[1:]) >= level
    factor = LEVELS / (LEVELS - level)
    dropped: Tensor = _Scaled.apply(values_NX, kept_NX, factor)  # type: ignore[no-untyped-call]
    return dropped


class _Scaled(torch.autograd.Function):
    """Product of values, a mask and a factor, in as few passes over memory as possible.

    As two products of torch it takes 1.7 times as long in float32. Only the mask is kept for the
    gradient, with one byte for each value.
    """

    @staticmethod
    def forward(ctx: Any, values_NX: Tensor, kept_NX: Tensor, factor: float) -> Tensor:
        """Returns the product."""
        ctx.save_for_backward(kept_NX)
        ctx.factor = factor
        return kept_NX.to(values_NX.dtype).mul_(factor).mul_(values_NX)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Returns the gradient of the values."""
        (gradient_NX,), (kept_NX,) = gradients, ctx.saved_tensors
        return kept_NX.to(gradient_NX.dtype).mul_(ctx.factor).mul_(gradient_NX), None, None


def random_bytes(keys_N: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns uniformly distributed uint8 values, (N, *shape), derived from the keys."""
    size = math.prod(shape)
    words = -(-size // 4)
    position_X = _mix(torch.arange(words, dtype=torch.int32, device=keys_N.device))
    bytes_NX = _mix(position_X ^ keys_N[:, None]).view(torch.uint8)
    return bytes_NX[:, :size].reshape(-1, *shape)


def derive_keys(keys: Tensor, number: int | Tensor) -> Tensor:
    """Returns new int32 keys, of the broadcast shape, one set for each numbered use of the keys."""
    return _mix(keys ^ (torch.as_tensor(number, device=keys.device).to(torch.int32) + 1) * _ODD)


_ODD = -1640531527  # 2 ** 32 divided by the golden ratio, as int32


def _mix(words: Tensor) -> Tensor:
    """Returns the hash of each int32 word, in which every bit depends on all bits of the word.

    The hash is `lowbias32` by C. Wellons.
    """
    words = (words ^ _shift(words, 16)) * 0x7FEB352D
    words = (words ^ _shift(words, 15)) * (0x846CA68B - 2**32)
    return words ^ _shift(words, 16)


def _shift(words: Tensor, bits: int) -> Tensor:
    """Returns the words shifted right and filled with zeros; `>>` on int32 repeats the sign."""
    return (words >> bits) & ((1 << (32 - bits)) - 1)

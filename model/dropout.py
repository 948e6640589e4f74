"""Dropout that follows from keys instead of from the state of a random generator.

What is dropped in a video then depends on the video's key alone: not on the batch it stands in, on
the process that computes it, or on the device. One process and several give the same gradient.
"""

import math

import torch
from torch import Tensor

LEVELS = 256
"""A mask compares one random byte for each number, so the share is rounded to 1/256."""


def drop(values_NX: Tensor, keys_N: Tensor, share: float) -> Tensor:
    """Returns the values with about a share of each row set to 0 and the others scaled up.

    Args:
        values_NX: any numbers, one row for each key; a row may have several axes.
        keys_N: int32; equal keys drop equal places.
        share: between 0 and 1.
    """
    level = min(round(share * LEVELS), LEVELS - 1)
    if level == 0:
        return values_NX
    kept_NX = random_bytes(keys_N, values_NX.shape[1:]) >= level
    return (values_NX * kept_NX).mul_(LEVELS / (LEVELS - level))


def random_bytes(keys_N: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns uniformly distributed uint8 numbers, (N, *shape), that follow from the keys."""
    size = math.prod(shape)
    words = -(-size // 4)
    place_X = _mix(torch.arange(words, dtype=torch.int32, device=keys_N.device))
    bytes_NX = _mix(place_X ^ keys_N[:, None]).view(torch.uint8)
    return bytes_NX[:, :size].reshape(-1, *shape)


def derive_keys(keys: Tensor, number: int | Tensor) -> Tensor:
    """Returns other int32 keys, of the broadcast shape, for a numbered use of the same keys."""
    return _mix(keys ^ (torch.as_tensor(number, device=keys.device).to(torch.int32) + 1) * _ODD)


_ODD = -1640531527  # 2 ** 32 over the golden ratio, as int32


def _mix(words: Tensor) -> Tensor:
    """Returns int32 words whose every bit depends on all bits given: `lowbias32` by C. Wellons."""
    words = (words ^ _shift(words, 16)) * 0x7FEB352D
    words = (words ^ _shift(words, 15)) * (0x846CA68B - 2**32)
    return words ^ _shift(words, 16)


def _shift(words: Tensor, bits: int) -> Tensor:
    """Returns the words shifted right with zeros moving in; on int32 `>>` repeats the sign."""
    return (words >> bits) & ((1 << (32 - bits)) - 1)

"""Dropout derived from keys instead of from the state of a random generator.

The key of a video alone decides what is dropped in it. Its batch, process and device have no
influence, so one process and several compute the same gradient.

Axes: N keys (videos), X the other axes of the values.
"""

import math

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
    return (values_NX * kept_NX).mul_(LEVELS / (LEVELS - level))


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

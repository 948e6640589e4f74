"""Dropout by keys."""

import pytest
import torch
from torch import Tensor

from model.dropout import LEVELS, derive_keys, drop, random_bytes


def make_keys(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int32)


def test_keys_decide_what_is_dropped() -> None:
    """Equal keys drop equal positions, whatever the values and the seed; other keys drop others."""
    keys_N, shape = make_keys(3, 8, 3), (16, 50)
    kept_NX = drop(torch.ones(3, *shape), keys_N, 0.5) != 0
    torch.manual_seed(1)
    again_NX = drop(torch.rand(3, *shape) + 1, keys_N, 0.5) != 0
    assert (kept_NX == again_NX).all()
    assert (kept_NX[0] == kept_NX[2]).all()
    assert 0.4 < (kept_NX[0] == kept_NX[1]).double().mean() < 0.6


def test_batched_equals_single() -> None:
    """The other videos of a batch have no influence on values or gradients."""
    keys_N, values_NX = make_keys(-5, 0, 2**31 - 1), torch.randn(3, 7, 9, requires_grad=True)
    dropped_NX = drop(values_NX, keys_N, 0.3)
    (gradient_NX,) = torch.autograd.grad(dropped_NX.square().sum(), values_NX)
    for row in range(3):
        value_1X = values_NX[row : row + 1].detach().requires_grad_()
        alone_1X = drop(value_1X, keys_N[row : row + 1], 0.3)
        (alone_gradient_1X,) = torch.autograd.grad(alone_1X.square().sum(), value_1X)
        assert (dropped_NX[row] == alone_1X[0]).all()
        assert (gradient_NX[row] == alone_gradient_1X[0]).all()


def test_bytes_are_uniform() -> None:
    """A chi-squared test passes over all values of one key, and over many keys at one position."""
    long = random_bytes(make_keys(7), (2**18,))[0]
    many = random_bytes(torch.arange(2**18, dtype=torch.int32), (1,))[:, 0]
    for bytes_N in (long, many):
        expected = len(bytes_N) / LEVELS
        count_L = torch.bincount(bytes_N.int(), minlength=LEVELS)
        chi_squared = ((count_L - expected) ** 2 / expected).sum().item()
        assert 150 < chi_squared < 380  # 255 degrees of freedom: 255 +- 5.5 deviations


def test_neighbours_are_independent() -> None:
    """Masks of neighbouring positions, and of neighbouring keys, are uncorrelated."""
    keys_N = torch.arange(512, dtype=torch.int32)
    centred_NX = random_bytes(keys_N, (512,)).double() - (LEVELS - 1) / 2
    variance = (LEVELS**2 - 1) / 12
    for step in (1, 2, 3, 4):
        for pair_NX in (
            centred_NX[:, step:] * centred_NX[:, :-step],
            centred_NX[step:] * centred_NX[:-step],
        ):
            assert abs(pair_NX.mean().item() / variance) < 0.01  # 5 deviations of 1 / 512


def test_share_is_dropped_and_the_mean_kept() -> None:
    """About this share of all values becomes 0, and the mean stays 1."""
    for share in (0.1, 0.25, 0.5, 0.75):
        dropped_NX = drop(torch.ones(4, 2**16), make_keys(1, 2, 3, 4), share)
        assert abs((dropped_NX == 0).double().mean().item() - share) < 0.005
        assert abs(dropped_NX.double().mean().item() - 1) < 0.02
        assert len(dropped_NX.unique()) == 2


def test_share_of_zero_changes_nothing() -> None:
    """A share that rounds to zero byte values returns the values themselves."""
    values_NX = torch.randn(2, 5)
    assert drop(values_NX, make_keys(1, 2), 0) is values_NX


def test_share_close_to_one_keeps_something() -> None:
    """A share that rounds to all byte values leaves one of them."""
    dropped_NX = drop(torch.ones(1, 2**16), make_keys(1), 0.999)
    assert dropped_NX.unique().tolist() == [0, LEVELS]


def test_derived_keys_drop_independently() -> None:
    """Numbered uses of one key, and equal uses of different keys, have independent masks."""
    keys_N = torch.arange(64, dtype=torch.int32)
    derived_3N = torch.stack([keys_N, derive_keys(keys_N, 0), derive_keys(keys_N, 1)])
    assert len(derived_3N.unique()) == derived_3N.numel()
    first, second, third = random_bytes(derived_3N.flatten(), (4096,)).view(3, 64, 4096) >= 128
    for one, other in ((first, second), (first, third), (second, third)):
        assert abs((one == other).double().mean().item() - 0.5) < 0.005


def test_derived_keys_take_a_number_each() -> None:
    """A tensor of numbers derives the same keys as its single numbers."""
    keys_N, number_N = make_keys(9, 9, 4), torch.tensor([0, 5, 5])
    together_N = derive_keys(keys_N, number_N)
    alone_N = [derive_keys(key, int(number)) for key, number in zip(keys_N, number_N, strict=True)]
    assert together_N.tolist() == [key.item() for key in alone_N]


def test_half_precision_stays_half_precision() -> None:
    """Masks do not change the dtype of the values."""
    values_NX = torch.ones(1, 64, dtype=torch.bfloat16)
    assert drop(values_NX, make_keys(1), 0.5).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradient_is_that_of_the_product(dtype: torch.dtype) -> None:
    """Kept values pass the gradient on, times 2 at a share of a half; dropped ones do not."""
    values_NX = torch.randn(2, 3, 40, dtype=dtype, requires_grad=True)
    weight_NX = torch.randn(2, 3, 40, dtype=dtype)
    dropped_NX = drop(values_NX, make_keys(4, 9), 0.5)
    (gradient_NX,) = torch.autograd.grad((dropped_NX * weight_NX).sum(), values_NX)
    kept_NX = dropped_NX != 0
    assert dropped_NX.dtype == gradient_NX.dtype == dtype
    assert torch.equal(dropped_NX, torch.where(kept_NX, 2 * values_NX, 0))
    assert torch.equal(gradient_NX, torch.where(kept_NX, 2 * weight_NX, 0))

"""TV-L1 optical flow in torch: many pairs of frames at once, on a CUDA GPU or the CPU.

The method of C. Zach, T. Pock and H. Bischof, "A Duality Based Approach for Realtime TV-L1 Optical
Flow" (DAGM 2007), in the form of J. Sánchez, E. Meinhardt-Llopis and G. Facciolo, "TV-L1 Optical
Flow Estimation" (IPOL 2013), with what OpenCV's `DualTVL1OpticalFlow` changes and adds: its
parameters, linear pyramids, cubic warps, a median filter. Up to rounding it gives OpenCV's flow.

It minimizes, over flows u,

    sum over pixels of  |grad u_1| + |grad u_2| + LAMBDA |rho(u)|,
    rho(u) = I_1(x + u_0) + grad I_1(x + u_0) . (u - u_0) - I_0(x),

from coarse to fine; u_0 is the flow that the second frame is warped with.

Axes: F frames, P pairs, H height, W width, X the displacement along x and y, S the second frame and
its two derivatives. Where a letter is missing in the comments, it is the paper's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model.errors import DeviceError

TAU, LAMBDA, THETA = 0.25, 0.15, 0.3
"""Step of the dual variables, weight of the data, tightness of the coupling of u and v."""
SCALES, SCALE_STEP, SMALLEST_PX = 5, 0.8, 16
"""Levels of the pyramid at most, the size of each as a part of the one below, and the shortest side
down to which there are further ones."""
WARPS, OUTER_ITERATIONS, INNER_ITERATIONS = 5, 10, 30
"""On each level; the median filter runs before the inner iterations."""
EPSILON_PX = 0.01
"""A pair has converged when an iteration moves its flow by no more than this (root mean square)."""
PAIRS = 16
"""Pairs computed at once; at 340 x 256 pixels they take about 0.7 GB."""


class Tvl1Flow:
    """Computes where each pixel goes from one frame to the next; no pair depends on another."""

    def __init__(self, device: str = "cpu", *, pairs: int = PAIRS) -> None:
        """Chooses where to compute.

        Args:
            device: torch's name of it, `cpu`, `cuda` or `cuda:1`.
            pairs: computed at once.

        Raises:
            DeviceError: CUDA is asked for and absent.
        """
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise DeviceError.no_cuda("torch", "a GPU with its driver, or the device `cpu`")
        self._device, self._pairs = torch.device(device), pairs

    def __call__(self, grey_FHW: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns displacements in pixels, (F - 1, H, W, 2), like `DenseFlow`."""
        return self.between(grey_FHW[:-1], grey_FHW[1:])

    def between(
        self, first_PHW: NDArray[np.uint8], second_PHW: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Returns the displacements (P, H, W, 2) from first frames to second ones."""
        flow_PHWX = np.empty((*first_PHW.shape, 2), np.float32)
        for at in range(0, len(first_PHW), self._pairs):
            some = slice(at, at + self._pairs)
            flow_PXHW = _flow(self._picture(first_PHW[some]), self._picture(second_PHW[some]))
            flow_PHWX[some] = flow_PXHW.movedim(1, -1).cpu().numpy()
        return flow_PHWX

    def _picture(self, grey_PHW: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(grey_PHW.copy()).to(self._device, torch.float32)


@dataclass(slots=True)
class _State:
    """The unknowns of some pairs."""

    flow_PXHW: Tensor
    """u."""
    dual_x_PXHW: Tensor
    """p_1: W is one less, since nothing lies beyond the last column."""
    dual_y_PXHW: Tensor
    """p_2: H is one less."""

    @classmethod
    def start(cls, flow_PXHW: Tensor) -> "_State":
        """Returns the state in which the dual variables are 0."""
        dual_PXHW = torch.zeros_like(flow_PXHW)
        return cls(flow_PXHW, dual_PXHW[..., 1:].clone(), dual_PXHW[..., 1:, :].clone())

    def of(self, pairs: Tensor) -> "_State":
        """Returns a copy of some pairs' state."""
        return _State(self.flow_PXHW[pairs], self.dual_x_PXHW[pairs], self.dual_y_PXHW[pairs])

    def put(self, pairs: Tensor, state: "_State") -> None:
        """Replaces some pairs' state."""
        self.flow_PXHW[pairs] = state.flow_PXHW
        self.dual_x_PXHW[pairs] = state.dual_x_PXHW
        self.dual_y_PXHW[pairs] = state.dual_y_PXHW


@dataclass(slots=True)
class _Data:
    """What the warped frames of some pairs say of their flow."""

    gradient_PXHW: Tensor
    """grad I_1(x + u_0)."""
    rest_PHW: Tensor
    """rho(0)."""
    newton_PHW: Tensor
    """-1 / |grad I_1|^2: this times rho(u) times the gradient is the way to where rho is 0."""

    def of(self, pairs: Tensor) -> "_Data":
        """Returns a copy of some pairs' data."""
        return _Data(self.gradient_PXHW[pairs], self.rest_PHW[pairs], self.newton_PHW[pairs])


@torch.inference_mode()
def _flow(first_PHW: Tensor, second_PHW: Tensor) -> Tensor:
    """Returns the flow (P, 2, H, W), each level of the pyramid starting from the coarser one's."""
    levels = list(zip(_pyramid(first_PHW), _pyramid(second_PHW), strict=True))
    flow_PXHW = torch.zeros_like(levels[-1][0])[:, None].repeat(1, 2, 1, 1)
    for first, second in reversed(levels):
        if first.shape[1:] != flow_PXHW.shape[2:]:
            flow_PXHW = _resize(flow_PXHW, *first.shape[1:]) * (1 / SCALE_STEP)
        flow_PXHW = _refine(first, second, flow_PXHW)
    return flow_PXHW


def _pyramid(picture_PHW: Tensor) -> Iterator[Tensor]:
    """Yields a picture and its smaller versions."""
    yield picture_PHW
    for _ in range(SCALES - 1):
        height, width = (round(size * SCALE_STEP) for size in picture_PHW.shape[1:])
        if min(height, width) < SMALLEST_PX:
            return
        picture_PHW = _resize(picture_PHW, height, width, step=1 / SCALE_STEP)
        yield picture_PHW


def _refine(first_PHW: Tensor, second_PHW: Tensor, flow_PXHW: Tensor) -> Tensor:
    """Returns the flow on one level, from the one that it has so far."""
    second_PSHW = torch.stack([second_PHW, *_central_differences(second_PHW)], dim=1)
    state = _State.start(flow_PXHW)
    for _ in range(WARPS):
        _minimize(state, _linearized(first_PHW, second_PSHW, state.flow_PXHW))
    return state.flow_PXHW


def _linearized(first_PHW: Tensor, second_PSHW: Tensor, flow_PXHW: Tensor) -> _Data:
    """Returns the data term, linear in the flow around the given one."""
    warped_PSHW = _warp(second_PSHW, flow_PXHW)
    gradient_PXHW = warped_PSHW[:, 1:].contiguous()
    rest_PHW = warped_PSHW[:, 0] - _dot(gradient_PXHW, flow_PXHW) - first_PHW
    smallest = torch.finfo(torch.float32).eps  # a pixel without gradient says nothing
    squared_PHW = _dot(gradient_PXHW, gradient_PXHW).clamp_(min=smallest)
    return _Data(gradient_PXHW, rest_PHW, -1 / squared_PHW)


def _minimize(state: _State, data: _Data) -> None:
    """Iterates each pair until it has converged; those that have are left alone from then on."""
    left_P = torch.arange(len(state.flow_PXHW), device=state.flow_PXHW.device)
    part = state.of(left_P)
    for _ in range(OUTER_ITERATIONS):
        part.flow_PXHW = _median_of_5_by_5(part.flow_PXHW)
        for _ in range(INNER_ITERATIONS):
            going_P = _iterate(part, data) > EPSILON_PX**2
            if going_P.all():
                continue
            state.put(left_P, part)
            left_P, part, data = left_P[going_P], part.of(going_P), data.of(going_P)
            if not len(left_P):
                return
    state.put(left_P, part)


def _iterate(state: _State, data: _Data) -> Tensor:
    """Moves flow and dual variables by one step; returns the flow's mean squared move, (P,)."""
    rho_PHW = _dot(data.gradient_PXHW, state.flow_PXHW).add_(data.rest_PHW)
    # v - u of Eq. 15 (Zach et al.), its three cases in one: towards rho = 0, but no further than
    # LAMBDA THETA times the gradient.
    reach_PHW = rho_PHW.mul_(data.newton_PHW).clamp_(-LAMBDA * THETA, LAMBDA * THETA)
    # u = v + THETA div p
    move_PXHW = _divergence(state).mul_(THETA).add_(reach_PHW[:, None] * data.gradient_PXHW)
    state.flow_PXHW = state.flow_PXHW + move_PXHW
    _ascend(state)
    return _mean_square(move_PXHW)


def _ascend(state: _State) -> None:
    """Moves the dual variables: p = (p + TAU / THETA grad u) / (1 + TAU / THETA |grad u|)."""
    flow_PXHW = state.flow_PXHW
    along_x = (flow_PXHW[..., 1:] - flow_PXHW[..., :-1]).mul_(TAU / THETA)
    along_y = (flow_PXHW[..., 1:, :] - flow_PXHW[..., :-1, :]).mul_(TAU / THETA)
    scale_PXHW = torch.zeros_like(flow_PXHW)
    scale_PXHW[..., :-1] += along_x * along_x
    scale_PXHW[..., :-1, :] += along_y * along_y
    scale_PXHW.sqrt_().add_(1)
    state.dual_x_PXHW.add_(along_x).div_(scale_PXHW[..., :-1])
    state.dual_y_PXHW.add_(along_y).div_(scale_PXHW[..., :-1, :])


def _divergence(state: _State) -> Tensor:
    """Returns div p, (P, X, H, W); p is 0 outside."""
    divergence_PXHW = torch.zeros_like(state.flow_PXHW)
    divergence_PXHW[..., :-1] += state.dual_x_PXHW
    divergence_PXHW[..., 1:] -= state.dual_x_PXHW
    divergence_PXHW[..., :-1, :] += state.dual_y_PXHW
    divergence_PXHW[..., 1:, :] -= state.dual_y_PXHW
    return divergence_PXHW


def _mean_square(move_PXHW: Tensor) -> Tensor:
    """Returns the mean over pixels of the squared length, (P,), the same to the bit in any batch.

    Torch adds in an order that depends on the batch. Multiples of 2^-32 add up in float64 without
    rounding, so the order does not matter.
    """
    steps = (move_PXHW * move_PXHW).mul_(2.0**32).round_()
    pixels = move_PXHW.shape[2] * move_PXHW.shape[3]
    return steps.sum(dim=(1, 2, 3), dtype=torch.float64) / (2.0**32 * pixels)


def _dot(one_PXHW: Tensor, other_PXHW: Tensor) -> Tensor:
    """Returns the product of two fields of vectors, (P, H, W)."""
    product_PXHW = one_PXHW * other_PXHW
    return product_PXHW[:, 0] + product_PXHW[:, 1]


def _central_differences(picture_PHW: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the derivatives along x and y; the outermost pixels are repeated beyond the edge."""
    padded = functional.pad(picture_PHW[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    along_x = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) * 0.5
    along_y = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) * 0.5
    return along_x, along_y


def _warp(second_PSHW: Tensor, flow_PXHW: Tensor) -> Tensor:
    """Returns what lies where the flow points to, by cubic interpolation; 0 lies outside.

    In float64, since torch wants places between -1 and 1, the pictures' edges, and float32 would
    lose so much of them that pictures that stand still had a flow.
    """
    height, width = flow_PXHW.shape[2:]
    xs_W = torch.arange(width, device=flow_PXHW.device)
    ys_H1 = torch.arange(height, device=flow_PXHW.device)[:, None]
    x_PHW = (2 * (flow_PXHW[:, 0].double() + xs_W) + 1) / width - 1
    y_PHW = (2 * (flow_PXHW[:, 1].double() + ys_H1) + 1) / height - 1
    places_PHWX = torch.stack([x_PHW, y_PHW], dim=-1)
    warped_PSHW = functional.grid_sample(
        second_PSHW.double(), places_PHWX, mode="bicubic", align_corners=False
    )
    return warped_PSHW.float()


def _resize(picture_HW: Tensor, height: int, width: int, *, step: float | None = None) -> Tensor:
    """Returns a picture (..., H, W) in another size, by linear interpolation without smoothing.

    Args:
        picture_HW: the picture.
        height: of the result.
        width: of the result.
        step: pixels from one sample to the next; what the sizes give if not given.
    """
    for dim, size in ((-1, width), (-2, height)):
        picture_HW = _resample(picture_HW, size, step or picture_HW.shape[dim] / size, dim)
    return picture_HW


def _resample(values: Tensor, size: int, step: float, dim: int) -> Tensor:
    """Returns so many samples along an axis, the first one half a step from the edge."""
    last = values.shape[dim] - 1
    places = (torch.arange(size, dtype=torch.float64, device=values.device) + 0.5) * step - 0.5
    before = places.floor()
    weight = (places - before).to(values.dtype).reshape(-1, *[1] * (-1 - dim))
    left = values.index_select(dim, before.long().clamp(0, last))
    right = values.index_select(dim, (before.long() + 1).clamp(0, last))
    return left * (1 - weight) + right * weight


def _median_of_5_by_5(flow_PXHW: Tensor) -> Tensor:
    """Returns the median of the 25 pixels around each; the outermost ones go on beyond the edge."""
    height, width = flow_PXHW.shape[2:]
    padded = functional.pad(flow_PXHW, (2, 2, 2, 2), mode="replicate")
    rows = _sorted([padded[..., y : y + height, :] for y in range(5)])
    ranks = [_sorted([row[..., x : x + width] for x in range(5)]) for row in rows]
    # Every row and column of this table is sorted. An entry that is at least, or at most, as large
    # as 13 others is not needed for the median; 13 are left, and their median is that of all.
    return _median(
        [
            ranks[row][column]
            for row in range(5)
            for column in range(5)
            if max((row + 1) * (column + 1), (5 - row) * (5 - column)) <= 13
        ]
    )


def _sorted(values: list[Tensor]) -> list[Tensor]:
    """Returns values in ascending order, elementwise (odd-even transposition sort)."""
    values = list(values)
    for turn in range(len(values)):
        for at in range(turn % 2, len(values) - 1, 2):
            values[at], values[at + 1] = _in_order(values[at], values[at + 1])
    return values


def _median(values: list[Tensor]) -> Tensor:
    """Returns the median of an odd number of values, elementwise.

    Of any (n + 3) / 2 out of n values neither the largest nor the smallest is the median: they go,
    and one more comes in.
    """
    kept = (len(values) + 3) // 2
    values, waiting = values[:kept], values[kept:]
    while len(values) > 1:
        values = _without_extremes(values) + waiting[:1]
        waiting = waiting[1:]
    return values[0]


def _without_extremes(values: list[Tensor]) -> list[Tensor]:
    """Returns what is left of values without their smallest and largest, elementwise."""
    values = list(values)
    for at in range(1, len(values)):
        values[0], values[at] = _in_order(values[0], values[at])
    for at in range(1, len(values) - 1):
        values[at], values[-1] = _in_order(values[at], values[-1])
    return values[1:-1]


def _in_order(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    return torch.minimum(one, other), torch.maximum(one, other)

"""TV-L1 optical flow in torch, for many pairs of frames at once, on a CUDA GPU or the CPU.

The method is that of C. Zach, T. Pock and H. Bischof, "A Duality Based Approach for Realtime TV-L1
Optical Flow" (DAGM 2007), in the form of J. Sánchez, E. Meinhardt-Llopis and G. Facciolo, "TV-L1
Optical Flow Estimation" (IPOL 2013). Parameters, linear pyramids, cubic warps and a median filter
are those of `DualTVL1OpticalFlow` in OpenCV. Up to rounding, the flow equals that of OpenCV.

The method minimizes, over flows u,

    sum over pixels of  |grad u_1| + |grad u_2| + LAMBDA |rho(u)|,
    rho(u) = I_1(x + u_0) + grad I_1(x + u_0) . (u - u_0) - I_0(x),

from coarse to fine. The second frame is warped with the flow u_0. For four pixels in a row,
I_0 = 0 1 2 3 and I_1 = 0 0 1 2, the flow is 1 pixel along x: I_1(x + 1) = I_0(x) inside the image.

Axes: F frames, P pairs, H height, W width, X the displacement along x and y, S the second frame and
its two derivatives. Other letters in the comments are those of the paper.
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
"""Step size of the dual variables, weight of the data term, tightness of the coupling of u, v."""
SCALES, SCALE_STEP, SMALLEST_PX = 5, 0.8, 16
"""Largest number of levels of the pyramid, ratio of the sizes of two levels, and smallest allowed
side of a level."""
WARPS, OUTER_ITERATIONS, INNER_ITERATIONS = 5, 10, 30
"""Iterations on each level. The median filter runs before the inner iterations."""
EPSILON_PX = 0.01
"""A pair has converged if an iteration changes its flow by at most this (root mean square)."""
PAIRS = 16
"""Pairs in a batch; at 340 x 256 pixels they need about 0.7 GB."""


class Tvl1Flow:
    """A `FlowEngine` in torch; the flow of a pair does not depend on other pairs."""

    def __init__(self, device: str = "cpu", *, pairs: int = PAIRS) -> None:
        """Chooses the device.

        Args:
            device: name of the device in torch: `cpu`, `cuda` or `cuda:1`.
            pairs: pairs in a batch.

        Raises:
            DeviceError: the device is a CUDA GPU, and there is none.
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
        """Returns the displacements in pixels from the first to the second frames, (P, H, W, 2)."""
        flow_PHWX = np.empty((*first_PHW.shape, 2), np.float32)
        for at in range(0, len(first_PHW), self._pairs):
            batch = slice(at, at + self._pairs)
            flow_PXHW = _flow(self._image(first_PHW[batch]), self._image(second_PHW[batch]))
            flow_PHWX[batch] = flow_PXHW.movedim(1, -1).cpu().numpy()
        return flow_PHWX

    def _image(self, grey_PHW: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(grey_PHW.copy()).to(self._device, torch.float32)


@dataclass(slots=True)
class _State:
    """The unknowns of a batch of pairs."""

    flow_PXHW: Tensor
    """Flow u."""
    dual_x_PXHW: Tensor
    """Dual variables p_1, with W - 1 columns, because there is no difference after the last one."""
    dual_y_PXHW: Tensor
    """Dual variables p_2, with H - 1 rows."""

    @classmethod
    def start(cls, flow_PXHW: Tensor) -> "_State":
        """Returns the initial state, in which the dual variables are 0."""
        dual_PXHW = torch.zeros_like(flow_PXHW)
        return cls(flow_PXHW, dual_PXHW[..., 1:].clone(), dual_PXHW[..., 1:, :].clone())

    def of(self, pairs: Tensor) -> "_State":
        """Returns a copy of the state of some pairs."""
        return _State(self.flow_PXHW[pairs], self.dual_x_PXHW[pairs], self.dual_y_PXHW[pairs])

    def put(self, pairs: Tensor, state: "_State") -> None:
        """Replaces the state of some pairs."""
        self.flow_PXHW[pairs] = state.flow_PXHW
        self.dual_x_PXHW[pairs] = state.dual_x_PXHW
        self.dual_y_PXHW[pairs] = state.dual_y_PXHW


@dataclass(slots=True)
class _Data:
    """The data term of a batch of pairs, from their warped frames."""

    gradient_PXHW: Tensor
    """Gradient of the warped frame, grad I_1(x + u_0)."""
    rest_PHW: Tensor
    """Residual of flow 0, rho(0)."""
    newton_PHW: Tensor
    """Factor -1 / |grad I_1|^2. Times rho(u) and the gradient, it is the step to rho = 0."""

    def of(self, pairs: Tensor) -> "_Data":
        """Returns a copy of the data term of some pairs."""
        return _Data(self.gradient_PXHW[pairs], self.rest_PHW[pairs], self.newton_PHW[pairs])


@torch.inference_mode()
def _flow(first_PHW: Tensor, second_PHW: Tensor) -> Tensor:
    """Returns the flow, (P, 2, H, W). Each level of the pyramid starts from the coarser flow."""
    levels = list(zip(_pyramid(first_PHW), _pyramid(second_PHW), strict=True))
    flow_PXHW = torch.zeros_like(levels[-1][0])[:, None].repeat(1, 2, 1, 1)
    for first, second in reversed(levels):
        if first.shape[1:] != flow_PXHW.shape[2:]:
            flow_PXHW = _resize(flow_PXHW, *first.shape[1:]) * (1 / SCALE_STEP)
        flow_PXHW = _refine(first, second, flow_PXHW)
    return flow_PXHW


def _pyramid(image_PHW: Tensor) -> Iterator[Tensor]:
    """Yields an image and its smaller versions."""
    yield image_PHW
    for _ in range(SCALES - 1):
        height, width = (round(size * SCALE_STEP) for size in image_PHW.shape[1:])
        if min(height, width) < SMALLEST_PX:
            return
        image_PHW = _resize(image_PHW, height, width, step=1 / SCALE_STEP)
        yield image_PHW


def _refine(first_PHW: Tensor, second_PHW: Tensor, flow_PXHW: Tensor) -> Tensor:
    """Returns the flow on one level, refined from an initial flow."""
    second_PSHW = torch.stack([second_PHW, *_central_differences(second_PHW)], dim=1)
    state = _State.start(flow_PXHW)
    for _ in range(WARPS):
        _minimize(state, _linearized(first_PHW, second_PSHW, state.flow_PXHW))
    return state.flow_PXHW


def _linearized(first_PHW: Tensor, second_PSHW: Tensor, flow_PXHW: Tensor) -> _Data:
    """Returns the data term, linearized around a flow.

    For one pixel with gradient 2 along x and 0 along y, warped value 7, first frame 5 and flow 0,
    rho(0) is 7 - 0 - 5 = 2, and the step to rho = 0 is 2 * (-1 / 4) * 2 = -1 pixel along x.
    """
    warped_PSHW = _warp(second_PSHW, flow_PXHW)
    gradient_PXHW = warped_PSHW[:, 1:].contiguous()
    rest_PHW = warped_PSHW[:, 0] - _dot(gradient_PXHW, flow_PXHW) - first_PHW
    smallest = torch.finfo(torch.float32).eps  # a pixel without gradient has no influence
    squared_PHW = _dot(gradient_PXHW, gradient_PXHW).clamp_(min=smallest)
    return _Data(gradient_PXHW, rest_PHW, -1 / squared_PHW)


def _minimize(state: _State, data: _Data) -> None:
    """Iterates each pair until it has converged; converged pairs leave the batch."""
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
    """Updates flow and dual variables once; returns the mean squared change of the flow, (P,)."""
    rho_PHW = _dot(data.gradient_PXHW, state.flow_PXHW).add_(data.rest_PHW)
    # v - u of Eq. 15 (Zach et al.), the three cases in one: towards rho = 0, but at most by
    # LAMBDA THETA times the gradient.
    reach_PHW = rho_PHW.mul_(data.newton_PHW).clamp_(-LAMBDA * THETA, LAMBDA * THETA)
    # u = v + THETA div p
    change_PXHW = _divergence(state).mul_(THETA).add_(reach_PHW[:, None] * data.gradient_PXHW)
    state.flow_PXHW = state.flow_PXHW + change_PXHW
    _ascend(state)
    return _mean_square(change_PXHW)


def _ascend(state: _State) -> None:
    """Updates the dual variables: p = (p + TAU / THETA grad u) / (1 + TAU / THETA |grad u|)."""
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
    """Returns div p, (P, X, H, W), where p is 0 outside the image.

    In a row of four pixels with p_1 = 1, 3, 2 between them, the divergence is 1, 2, -1, -2.
    """
    divergence_PXHW = torch.zeros_like(state.flow_PXHW)
    divergence_PXHW[..., :-1] += state.dual_x_PXHW
    divergence_PXHW[..., 1:] -= state.dual_x_PXHW
    divergence_PXHW[..., :-1, :] += state.dual_y_PXHW
    divergence_PXHW[..., 1:, :] -= state.dual_y_PXHW
    return divergence_PXHW


def _mean_square(change_PXHW: Tensor) -> Tensor:
    """Returns the mean squared length over all pixels, (P,), with equal bits in any batch.

    Torch sums in an order that depends on the batch. Multiples of 2^-32 are summed in float64
    without rounding, so the order has no influence.
    """
    steps = (change_PXHW * change_PXHW).mul_(2.0**32).round_()
    pixels = change_PXHW.shape[2] * change_PXHW.shape[3]
    return steps.sum(dim=(1, 2, 3), dtype=torch.float64) / (2.0**32 * pixels)


def _dot(one_PXHW: Tensor, other_PXHW: Tensor) -> Tensor:
    """Returns the scalar product of two vector fields, (P, H, W)."""
    product_PXHW = one_PXHW * other_PXHW
    return product_PXHW[:, 0] + product_PXHW[:, 1]


def _central_differences(image_PHW: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the derivatives along x and y; edge pixels are repeated outside the image.

    The row 1, 2, 4, 8 has the derivatives 0.5, 1.5, 3, 2.
    """
    padded = functional.pad(image_PHW[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    along_x = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) * 0.5
    along_y = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) * 0.5
    return along_x, along_y


def _warp(second_PSHW: Tensor, flow_PXHW: Tensor) -> Tensor:
    """Returns the values at the targets of the flow by cubic interpolation; 0 outside the image.

    Positions in torch run from -1 to 1 between the edges of the image. In float32 they are so
    imprecise that equal images would have a flow, therefore float64 is used.
    """
    height, width = flow_PXHW.shape[2:]
    xs_W = torch.arange(width, device=flow_PXHW.device)
    ys_H1 = torch.arange(height, device=flow_PXHW.device)[:, None]
    x_PHW = (2 * (flow_PXHW[:, 0].double() + xs_W) + 1) / width - 1
    y_PHW = (2 * (flow_PXHW[:, 1].double() + ys_H1) + 1) / height - 1
    positions_PHWX = torch.stack([x_PHW, y_PHW], dim=-1)
    warped_PSHW = functional.grid_sample(
        second_PSHW.double(), positions_PHWX, mode="bicubic", align_corners=False
    )
    return warped_PSHW.float()


def _resize(image_HW: Tensor, height: int, width: int, *, step: float | None = None) -> Tensor:
    """Returns an image (..., H, W) in another size, by linear interpolation without smoothing.

    Args:
        image_HW: the image.
        height: height of the result.
        width: width of the result.
        step: pixels between two samples; the ratio of the sizes if not given.
    """
    for dim, size in ((-1, width), (-2, height)):
        image_HW = _resample(image_HW, size, step or image_HW.shape[dim] / size, dim)
    return image_HW


def _resample(values: Tensor, size: int, step: float, dim: int) -> Tensor:
    """Returns `size` samples along an axis, the first one half a step from the edge.

    Two samples of 1, 2, 4, 8 with step 2 are between the pixels: 1.5 and 6.
    """
    last = values.shape[dim] - 1
    positions = (torch.arange(size, dtype=torch.float64, device=values.device) + 0.5) * step - 0.5
    before = positions.floor()
    weight = (positions - before).to(values.dtype).reshape(-1, *[1] * (-1 - dim))
    left = values.index_select(dim, before.long().clamp(0, last))
    right = values.index_select(dim, (before.long() + 1).clamp(0, last))
    return left * (1 - weight) + right * weight


def _median_of_5_by_5(flow_PXHW: Tensor) -> Tensor:
    """Returns the median of the 5 x 5 pixels around each; edge pixels are repeated outside."""
    height, width = flow_PXHW.shape[2:]
    padded = functional.pad(flow_PXHW, (2, 2, 2, 2), mode="replicate")
    rows = _sorted([padded[..., y : y + height, :] for y in range(5)])
    ranks = [_sorted([row[..., x : x + width] for x in range(5)]) for row in rows]
    # All rows and columns of this table are sorted. An entry that is known to be at least, or at
    # most, as large as 13 others is not needed. Of 25 entries 13 remain, with the same median.
    return _median(
        [
            ranks[row][column]
            for row in range(5)
            for column in range(5)
            if max((row + 1) * (column + 1), (5 - row) * (5 - column)) <= 13
        ]
    )


def _sorted(values: list[Tensor]) -> list[Tensor]:
    """Returns the values sorted elementwise in ascending order (odd-even transposition sort).

    4, 2, 3, 1 becomes 2, 4, 1, 3, then 2, 1, 4, 3, then 1, 2, 3, 4.
    """
    values = list(values)
    for turn in range(len(values)):
        for at in range(turn % 2, len(values) - 1, 2):
            values[at], values[at + 1] = _in_order(values[at], values[at + 1])
    return values


def _median(values: list[Tensor]) -> Tensor:
    """Returns the elementwise median of an odd number of values.

    Of any (n + 3) / 2 of n values, neither the largest nor the smallest is the median. Both are
    dropped, one further value is added, and so on. Of 5, 1, 4, 2, 3, the first four lose 1 and 5;
    4, 2, 3 remain, which lose 2 and 4. The median is 3.
    """
    count = (len(values) + 3) // 2
    values, waiting = values[:count], values[count:]
    while len(values) > 1:
        values = _without_extremes(values) + waiting[:1]
        waiting = waiting[1:]
    return values[0]


def _without_extremes(values: list[Tensor]) -> list[Tensor]:
    """Returns the values without their elementwise smallest and largest ones."""
    values = list(values)
    for at in range(1, len(values)):
        values[0], values[at] = _in_order(values[0], values[at])
    for at in range(1, len(values) - 1):
        values[at], values[-1] = _in_order(values[at], values[-1])
    return values[1:-1]


def _in_order(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    return torch.minimum(one, other), torch.maximum(one, other)

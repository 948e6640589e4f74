"""TV-L1 flow in torch, compared with OpenCV and with known motion."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from features.flow.opencv import DenseFlow, to_grey
from features.flow.tvl1 import Tvl1Flow, _median_of_5_by_5
from features.video.reading import read_snippets
from model.errors import DeviceError

NEAR_PX = 0.1
HAS_CUDA = torch.cuda.is_available()


def texture(height: int, width: int, *, sigma: float = 3) -> np.ndarray:
    """A smooth random image with the full range of brightness."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), sigma), None, 0, 255, cv2.NORM_MINMAX)


def moving(height: int, width: int, x: float, y: float, frames: int = 2) -> np.ndarray:
    """Frames (F, H, W) of a texture that moves by `x` and `y` pixels a frame."""
    large = texture(height + 40, width + 40)
    shifts = [np.array([[1.0, 0, t * x - 20], [0, 1, t * y - 20]]) for t in range(frames)]
    return np.stack([cv2.warpAffine(large, s, (width, height), flags=cv2.INTER_CUBIC)
                     for s in shifts])  # fmt: skip


def clip(path: Path, pairs: int) -> np.ndarray:
    """The first grey frames of a clip, 64 pixels on the shorter side."""
    return to_grey(next(read_snippets(path, rate_fps=25, snippet_frames=pairs, short_side=64)))


def distance(one_PHWX: np.ndarray, other_PHWX: np.ndarray) -> np.ndarray:
    """Mean distance in pixels between the end points of two flows of each pair."""
    assert one_PHWX.shape == other_PHWX.shape
    return np.linalg.norm(one_PHWX - other_PHWX, axis=-1).mean(axis=(1, 2))


@pytest.mark.parametrize(
    "name",
    ["arm_wrestling.mp4", "v_Biking_g10_c02.avi", "v_Fencing_g15_c01.avi", "v_Surfing_g17_c07.avi"],
)
def test_real_clips_have_the_flow_that_opencv_finds(
    name: str, shared: Callable[[str], Path]
) -> None:
    """This holds for each pair."""
    grey_FHW = clip(shared(f"data/clips/{name}"), 3)
    expected = DenseFlow("tvl1")(grey_FHW)
    flow_PHWX = Tvl1Flow()(grey_FHW)
    assert flow_PHWX.dtype == np.float32
    assert distance(expected, flow_PHWX).max() < NEAR_PX
    assert np.linalg.norm(expected, axis=-1).max() > 0.5


@pytest.mark.parametrize("shift", [(2, 1), (-1.5, 0.25), (0.1, -0.4), (5, -4)])
def test_flow_finds_a_shift(shift: tuple[float, float]) -> None:
    """Right and down are positive, in fractions of pixels, as in OpenCV."""
    frames_FHW = moving(60, 80, *shift)
    flow_PHWX = Tvl1Flow()(frames_FHW)
    inside = flow_PHWX[:, 8:-8, 8:-8]
    assert distance(np.broadcast_to(np.float32(shift), inside.shape), inside).max() < NEAR_PX
    assert distance(DenseFlow("tvl1")(frames_FHW), flow_PHWX).max() < NEAR_PX


@pytest.mark.parametrize("size", [(16, 16), (5, 5), (13, 40), (17, 91), (41, 39), (20, 21)])
def test_small_and_odd_frames(size: tuple[int, int]) -> None:
    """The pyramid has the same levels as in OpenCV."""
    frames_FHW = moving(*size, 0.6, -0.3)
    assert distance(DenseFlow("tvl1")(frames_FHW), Tvl1Flow()(frames_FHW)).max() < NEAR_PX


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (2, 3)])
def test_the_smallest_frames_have_a_flow(size: tuple[int, int]) -> None:
    """The flow of OpenCV is undefined there."""
    frames_FHW = np.random.default_rng(0).integers(0, 256, (3, *size), np.uint8)
    flow_PHWX = Tvl1Flow()(frames_FHW)
    assert flow_PHWX.shape == (2, *size, 2)
    assert np.isfinite(flow_PHWX).all()


def test_still_images_have_no_flow() -> None:
    """Equal frames have no flow, nor do uniform frames of any brightness."""
    for sigma in (0.1, 3):
        still_FHW = np.stack([texture(40, 50, sigma=sigma)] * 2)
        np.testing.assert_allclose(Tvl1Flow()(still_FHW), 0, atol=1e-9)
    plain_FHW = np.stack([np.full((40, 50), value, np.uint8) for value in (0, 0, 255)])
    flow_PHWX = Tvl1Flow()(plain_FHW)
    assert not flow_PHWX[0].any()
    assert distance(DenseFlow("tvl1")(plain_FHW), flow_PHWX).max() < NEAR_PX


def test_a_pair_does_not_depend_on_its_batch() -> None:
    """It has the same bits alone, in another order, and among pairs that converge later."""
    frames_FHW = np.concatenate([moving(48, 64, 3, 1, 3), moving(48, 64, 0.2, 0.1, 3)])
    first_PHW, second_PHW = frames_FHW[:-1], frames_FHW[1:]
    together = Tvl1Flow()(frames_FHW)
    alone = [Tvl1Flow()(frames_FHW[at : at + 2])[0] for at in range(len(first_PHW))]
    np.testing.assert_array_equal(together, np.stack(alone))
    backwards = Tvl1Flow(pairs=2).between(first_PHW[::-1], second_PHW[::-1])
    np.testing.assert_array_equal(together, backwards[::-1])


def test_one_frame_has_no_flow() -> None:
    """The result is empty."""
    assert Tvl1Flow()(texture(20, 30)[None]).shape == (0, 20, 30, 2)


def test_median_is_opencvs() -> None:
    """Ties and edges are included, to the bit."""
    values_HW = np.random.default_rng(0).normal(0, 3, (23, 31)).round(1).astype(np.float32)
    (median_HW,) = _median_of_5_by_5(torch.from_numpy(values_HW)[None, None])[0]
    np.testing.assert_array_equal(cv2.medianBlur(values_HW, 5), median_HW.numpy())


@pytest.mark.skipif(HAS_CUDA, reason="there is a CUDA GPU")
def test_cuda_where_there_is_none_is_an_error() -> None:
    """The error is raised on creation, not at the first frame."""
    with pytest.raises(DeviceError, match="torch sees no CUDA GPU"):
        Tvl1Flow("cuda")


@pytest.mark.skipif(not HAS_CUDA, reason="no CUDA GPU")
def test_a_gpu_finds_the_same_flow() -> None:
    """It is close to that of the CPU, in any batch."""
    frames_FHW = np.concatenate([moving(60, 80, 3, 1, 3), moving(60, 80, 0.2, 0.1, 3)])
    flow_PHWX = Tvl1Flow("cuda")(frames_FHW)
    assert distance(Tvl1Flow("cpu")(frames_FHW), flow_PHWX).max() < NEAR_PX
    np.testing.assert_array_equal(flow_PHWX, Tvl1Flow("cuda", pairs=1)(frames_FHW))

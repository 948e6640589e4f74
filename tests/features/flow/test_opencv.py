"""Optical flow by OpenCV."""

import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from features.flow.opencv import DenseFlow, FlowMethod, as_i3d_expects, to_grey
from features.video.reading import read_snippets
from model.errors import OptionError


@pytest.fixture
def shifted_FHW() -> np.ndarray:
    """Three frames of a smooth texture that moves right by 2 and down by 1 pixel a frame."""
    noise = np.random.default_rng(0).integers(0, 256, (80, 90), dtype=np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    return np.stack([texture[8 - t : 72 - t, 8 - 2 * t : 72 - 2 * t] for t in range(3)])


@pytest.mark.parametrize("method", ["dis", "tvl1"])
def test_flow_finds_a_shift(shifted_FHW: np.ndarray, method: FlowMethod) -> None:
    """Right and down are positive, in pixels; the border is not compared."""
    flow_PHWX = DenseFlow(method)(shifted_FHW)
    assert flow_PHWX.shape == (2, 64, 64, 2)
    assert flow_PHWX.dtype == np.float32
    inside = flow_PHWX[:, 8:-8, 8:-8].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inside, axis=0), [2, 1], atol=0.1)


def test_pairs_do_not_depend_on_each_other_nor_on_threads(shifted_FHW: np.ndarray) -> None:
    """A pair has the same bits alone, in another order, and in several threads."""
    together = DenseFlow("dis")(shifted_FHW)
    flow = DenseFlow("dis", threads=3)
    many = flow(np.concatenate([shifted_FHW] * 5))
    np.testing.assert_array_equal(together, many[12:14])
    np.testing.assert_array_equal(together[1:], flow(shifted_FHW[1:]))
    assert threading.active_count() > 1


@pytest.mark.parametrize("method", ["dis", "tvl1"])
def test_flow_does_not_depend_on_the_frames_before(
    shifted_FHW: np.ndarray, method: FlowMethod
) -> None:
    """After small frames, an object of TV-L1 in OpenCV would use fewer scales."""
    flow = DenseFlow(method)
    expected = flow(shifted_FHW)
    flow(shifted_FHW[:, :32, :32].copy())
    np.testing.assert_array_equal(expected, flow(shifted_FHW))


def test_one_frame_has_no_flow(shifted_FHW: np.ndarray) -> None:
    """The result is empty."""
    assert DenseFlow("dis")(shifted_FHW[:1]).shape == (0, 64, 64, 2)


def test_dis_refuses_frames_that_would_crash_it() -> None:
    """The implementation in OpenCV reads beyond very small frames."""
    with pytest.raises(OptionError, match="at least 32 pixels a side for DIS flow, got 40 x 13"):
        DenseFlow("dis")(np.zeros((2, 13, 40), np.uint8))
    assert not DenseFlow("tvl1")(np.zeros((2, 13, 40), np.uint8)).any()


def test_i3d_gets_displacements_up_to_twenty_pixels() -> None:
    """Larger displacements are clipped, and 20 pixels become 1."""
    flow = np.array([-50, -20, 5, 0, 20, 21], np.float32)
    assert as_i3d_expects(flow).tolist() == [-1, -1, 0.25, 0, 1, 1]


def test_fast_and_precise_flow_agree_on_a_real_clip(shared: Callable[[str], Path]) -> None:
    """Most pixels differ by less than half a pixel."""
    path = shared("data/clips/v_BoxingPunchingBag_g01_c01.avi")
    snippet = next(read_snippets(path, rate_fps=25, snippet_frames=2, short_side=64))
    fast, precise = (DenseFlow(method)(to_grey(snippet)) for method in ("dis", "tvl1"))
    assert np.median(np.linalg.norm(fast - precise, axis=-1)) < 0.5

"""Crops and inputs."""

import numpy as np
import pytest

from features.backbone.spec import InputSpec, Layout
from features.backbone.views import VIEWS, as_input, cut_view


def test_centre_is_the_middle() -> None:
    """Equal parts are cut off on both sides."""
    frames = np.arange(6 * 10).reshape(1, 6, 10, 1)
    (view,) = VIEWS["centre"]
    np.testing.assert_array_equal(frames[:, 1:5, 3:7], cut_view(frames, view, 4, moves=False))


def test_ten_views_are_centre_and_corners_and_their_mirrors() -> None:
    """Each occurs once; the second five are mirror images of the first five."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 6, 9, 3), np.uint8)
    cuts = [cut_view(frames, view, 4, moves=False) for view in VIEWS["ten"]]
    assert len({cut.tobytes() for cut in cuts}) == 10
    for plain, mirrored in zip(cuts[:5], cuts[5:], strict=True):
        np.testing.assert_array_equal(plain[:, :, ::-1], mirrored)
    np.testing.assert_array_equal(frames[:, :4, :4], cuts[1])
    np.testing.assert_array_equal(frames[:, -4:, -4:], cuts[4])


def test_mirrored_flow_is_reversed() -> None:
    """Mirroring negates x, but not y."""
    flow = np.ones((1, 4, 4, 2), np.float32)
    mirrored = cut_view(flow, VIEWS["ten"][5], 4, moves=True)
    np.testing.assert_array_equal([-1, 1], mirrored[0, 0, 0])


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NCTHW", "NTCHW", "NTHWC"])
def test_values_are_normalised_and_axes_in_order(layout: Layout) -> None:
    """Values are (value * scale - mean) / std, at the positions of the layout."""
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 6, 3), np.uint8)
    wanted = InputSpec("x", layout, scale=0.5, mean=(1.0, 2.0, 3.0), std=(4.0,))
    got = as_input(clips, wanted)
    sizes = {"N": 2 if "T" in layout else 8, "T": 4, "H": 5, "W": 6, "C": 3}
    assert got.shape == tuple(sizes[axis] for axis in layout)
    assert got.dtype == np.float32
    at = {"N": 1 if "T" in layout else 1 * 4 + 2, "T": 2, "H": 3, "W": 4, "C": 2}
    expected = (clips[1, 2, 3, 4, 2] * 0.5 - 3.0) / 4.0
    assert expected == pytest.approx(got[tuple(at[axis] for axis in layout)])


def test_rgb_values_of_i3d_are_from_minus_one_to_one() -> None:
    """0 becomes -1, and 255 becomes 1."""
    from features.backbone.spec import i3d_spec

    clips = np.array([0, 255], np.uint8).reshape(1, 2, 1, 1, 1).repeat(3, axis=-1)
    got = as_input(clips, i3d_spec().inputs[0])
    np.testing.assert_allclose(got[0, :, 0, 0, 0], [-1, 1], atol=1e-6)

import numpy as np
import pytest

from model.motion import (
    GRID,
    ORIENTATIONS,
    MotionExtractor,
    cuts,
    direction_histograms,
    gradients,
    speeds,
)


def test_direction_histograms_follow_plain_loops() -> None:
    """A vector counts with its length in its own cell; OpenCV rounds angles."""
    vectors = np.random.default_rng(0).standard_normal((2, 9, 14, 2)).astype(np.float32)
    expected = np.zeros((2, GRID, GRID, ORIENTATIONS))
    for frame, row, column in np.ndindex(2, 9, 14):
        x, y = vectors[frame, row, column]
        position = np.arctan2(y, x) % (2 * np.pi) * ORIENTATIONS / (2 * np.pi)
        lower = int(position)
        cell = expected[frame, row * GRID // 9, column * GRID // 14]
        cell[lower % ORIENTATIONS] += np.hypot(x, y) * (1 - position + lower)
        cell[(lower + 1) % ORIENTATIONS] += np.hypot(x, y) * (position - lower)
    expected *= GRID * GRID / (9 * 14)
    np.testing.assert_allclose(direction_histograms(vectors), expected, atol=1e-3)


@pytest.mark.parametrize(("direction", "vector"), [(0, (1, 0)), (2, (0, 1)), (5, (-1, -1))])
def test_directions_start_at_the_right_and_go_down(
    direction: int, vector: tuple[float, float]
) -> None:
    """What moves one way fills one bin of each cell."""
    field = np.broadcast_to(np.array(vector, np.float32), (1, 8, 8, 2))
    histogram = direction_histograms(field)[0, 0, 0]
    expected = np.zeros(ORIENTATIONS)
    expected[direction] = np.hypot(*vector)
    np.testing.assert_allclose(histogram, expected, atol=1e-3)


def test_speeds_are_those_of_each_cell() -> None:
    """Mean, mean of squares, and the shares above 0.4, 1, 2 and 4 pixels a frame."""
    flow = np.zeros((1, 8, 8, 2), np.float32)
    flow[0, :2, :2] = (3, 0)
    flow[0, 0, 0] = (0, -5)
    got = speeds(flow)
    np.testing.assert_allclose(got[0, 0, 0], [3.5, 13, 1, 1, 1, 0.25])
    assert not got[0, 1:].any()


def test_gradients_are_central_differences() -> None:
    """Along x and along y; 0 at the border."""
    field = np.add.outer(np.arange(5) * 10, np.arange(6)).astype(np.float32)[None]
    inside = gradients(field)[0, 1:-1, 1:-1]
    assert (inside == (1, 10)).all()
    assert not gradients(field)[0, :, 0, 0].any()


def moving(frames: int, seed: int) -> np.ndarray:
    """A texture that moves by a pixel a frame, RGB (F, 64, 64, 3)."""
    texture = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    texture = texture.repeat(4, axis=0).repeat(4, axis=1)[:64]
    return np.stack([texture[:, t : t + 64] for t in range(frames)])


def test_pair_that_a_cut_separates_does_not_count() -> None:
    """A snippet over a cut is described by the motion on both sides of it."""
    snippet = np.concatenate([moving(9, seed=1) // 4, moving(8, seed=2)])
    cut = cuts(snippet.mean(axis=-1).astype(np.uint8))
    assert np.flatnonzero(cut).tolist() == [8]
    assert not cuts(moving(17, seed=1).mean(axis=-1).astype(np.uint8)).any()


def test_still_picture_has_no_motion() -> None:
    """Every such snippet has the same flow, whatever it shows; its edges differ."""
    extractor = MotionExtractor()
    rows = [next(extractor.features([moving(1, seed).repeat(17, axis=0)])) for seed in (1, 2)]
    edges = 2 * GRID * GRID * ORIENTATIONS
    np.testing.assert_array_equal(rows[0][:-edges], rows[1][:-edges])
    assert not np.array_equal(rows[0], rows[1])

"""The `motion` extractor."""

import numpy as np
import pytest

from features.motion import (
    GRID,
    ORIENTATIONS,
    WINDOW,
    MotionExtractor,
    accelerations,
    busiest_window,
    cuts,
    deformations,
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
    np.testing.assert_allclose(direction_histograms(vectors), expected, atol=2e-3)


@pytest.mark.parametrize(("direction", "vector"), [(0, (1, 0)), (2, (0, 1)), (5, (-1, -1))])
def test_directions_start_at_the_right_and_go_down(
    direction: int, vector: tuple[float, float]
) -> None:
    """Uniform motion fills one bin of each cell."""
    field = np.broadcast_to(np.array(vector, np.float32), (1, 8, 8, 2))
    histogram = direction_histograms(field)[0, 0, 0]
    expected = np.zeros(ORIENTATIONS)
    expected[direction] = np.hypot(*vector)
    np.testing.assert_allclose(histogram, expected, atol=1e-3)


def test_speeds_are_those_of_each_cell() -> None:
    """A speed is the mean over the pixels of a cell, in pixels a frame."""
    flow = np.zeros((1, 16, 16, 2), np.float32)
    flow[0, :2, :2] = (3, 0)
    flow[0, 0, 0] = (0, -5)
    got = speeds(flow)
    assert got[0, 0, 0] == pytest.approx(3.5)
    assert not got[0, 1:].any()


def test_accelerations_are_changes_of_the_flow() -> None:
    """Steady motion has no acceleration, at any speed."""
    flow = np.zeros((3, 16, 16, 2), np.float32)
    flow[:2] = (4, 1)
    flow[2] = (4, 3)
    got = accelerations(flow)
    assert got.shape == (2, GRID, GRID, ORIENTATIONS + 1)
    assert not got[0].any()
    expected = [0, 0, 2, 0, 0, 0, 0, 0, 2]  # downwards, and how much
    np.testing.assert_allclose(got[1, 3, 4], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("x_by_x", "x_by_y", "y_by_x", "y_by_y", "expected"),
    [
        (1, 0, 0, 1, (2, 0, 0, 0)),
        (-1, 0, 0, -1, (0, 2, 0, 0)),
        (0, -1, 1, 0, (0, 0, 2, 0)),
        (0, 1, 1, 0, (0, 0, 0, 2)),
    ],
)
def test_deformations_are_distinguished(
    x_by_x: float, x_by_y: float, y_by_x: float, y_by_y: float, expected: tuple[float, ...]
) -> None:
    """A flow that expands, contracts, turns or shears has only that deformation."""
    y, x = np.mgrid[:24, :24].astype(np.float32)
    edges = [
        gradients((by_x * x + by_y * y)[None])
        for by_x, by_y in ((x_by_x, x_by_y), (y_by_x, y_by_y))
    ]
    np.testing.assert_allclose(deformations(*edges)[0, 3, 3], expected, atol=1e-4)


def test_gradients_are_central_differences() -> None:
    """They are along x and along y, and 0 at the border."""
    field = np.add.outer(np.arange(5) * 10, np.arange(6)).astype(np.float32)[None]
    inside = gradients(field)[0, 1:-1, 1:-1]
    assert (inside == (1, 10)).all()
    assert not gradients(field)[0, :, 0, 0].any()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 4), (5, 5)])
def test_window_is_where_the_most_motion_is(row: int, column: int) -> None:
    """Its description does not depend on its position."""
    speed_RS = np.full((GRID, GRID), 0.1, np.float32)
    speed_RS[row : row + WINDOW, column : column + WINDOW] = 1
    expected = (slice(row, row + WINDOW), slice(column, column + WINDOW))
    assert busiest_window(speed_RS) == expected


def moving(frames: int, seed: int) -> np.ndarray:
    """A texture that moves by a pixel a frame, RGB (F, 64, 64, 3)."""
    texture = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    texture = texture.repeat(4, axis=0).repeat(4, axis=1)[:64]
    return np.stack([texture[:, t : t + 64] for t in range(frames)])


def test_pair_across_a_cut_does_not_count() -> None:
    """A snippet with a cut is described by the motion on both sides of it."""
    snippet = np.concatenate([moving(3, seed=1) // 4, moving(3, seed=2)])
    cut = cuts(snippet.mean(axis=-1).astype(np.uint8))
    assert np.flatnonzero(cut).tolist() == [2]
    assert not cuts(moving(6, seed=1).mean(axis=-1).astype(np.uint8)).any()


def test_snippet_with_all_changes_of_flow_across_a_cut_is_finite() -> None:
    """Its acceleration counts as none."""
    pictures = [moving(1, seed=1)[0], moving(1, seed=1)[0], moving(1, seed=2)[0]]
    snippet = np.stack([pictures[n] for n in (0, 1, 2, 2, 0, 1)])
    assert cuts(snippet.mean(axis=-1).astype(np.uint8)).tolist() == [0, 1, 0, 1, 0]
    row = next(MotionExtractor().features([snippet]))
    assert np.isfinite(row).all()


def test_still_image_has_no_motion() -> None:
    """All still snippets have the same row, whatever their content; a moving one has another."""
    extractor = MotionExtractor()
    rows = [next(extractor.features([moving(1, seed).repeat(6, axis=0)])) for seed in (1, 2)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert rows[0].shape == (extractor.feature_dim,)
    assert not np.array_equal(rows[0], next(extractor.features([moving(6, seed=1)])))

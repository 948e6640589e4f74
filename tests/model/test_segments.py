"""Overlap of segments."""

import numpy as np

from model.segments import temporal_iou


def test_temporal_iou_of_known_pairs() -> None:
    """Equal, half overlapping, touching, nested, empty and distant segments."""
    first = np.array([[0.0, 2.0]])
    second = np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 3.0], [0.5, 1.5], [1.0, 1.0], [2.5, 4.0]])
    expected = [[1.0, 1 / 3, 0.0, 0.5, 0.0, 0.0]]
    np.testing.assert_allclose(temporal_iou(first[:, None], second), expected)


def test_temporal_iou_without_any_length_is_0() -> None:
    """Two segments of length 0 have no union to divide by."""
    nothing = np.array([[1.0, 1.0]])
    np.testing.assert_array_equal(temporal_iou(nothing, nothing), [0.0])

"""Features joined by their differences from the mean of the video."""

import numpy as np

from benchmarks.centred import centred


def test_features_are_joined_by_their_differences() -> None:
    """The mean is that of each channel over the video."""
    features_TD = np.array([[1], [2], [6]], np.float32)
    assert centred(features_TD).tolist() == [[1, -2], [2, -1], [6, 3]]
    assert centred(features_TD, alone=True).tolist() == [[-2], [-1], [3]]

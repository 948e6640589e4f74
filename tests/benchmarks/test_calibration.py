"""Figures of calibrated class scores."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.calibration import difference, figures
from model.errors import DataError
from training.datasets.video_record import VideoSet


def test_equal_gains_have_a_narrow_interval() -> None:
    """Where every video gains as much, each resample does."""
    videos = SimpleNamespace(videos=[SimpleNamespace(id=f"v{number}") for number in range(9)])
    before_VC, after_VC = np.full((9, 2), 0.5), np.full((9, 2), 0.3)
    text = difference(before_VC, after_VC, videos)  # type: ignore[arg-type]
    assert text == "0.5000 -> 0.3000, difference -0.2000 to -0.2000"


def test_checkpoint_without_a_curve_is_an_error() -> None:
    """There is nothing to compare."""
    checkpoint = SimpleNamespace(spec=SimpleNamespace(calibration=None))
    with pytest.raises(DataError, match="expected a checkpoint with a curve"):
        figures(checkpoint, VideoSet((), (), "none"))  # type: ignore[arg-type]

"""Figures of calibrated class scores."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.calibration import brier_score, difference, figures, log_loss
from model.errors import DataError
from training.datasets.video_record import VideoSet

TAG_VC = np.array([[True, False], [False, True]])


def test_losses_are_means_of_each_video() -> None:
    """Certain and right costs nothing; half and half costs log 2 and a quarter."""
    score_VC = np.array([[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(log_loss(score_VC, TAG_VC), [0, np.log(2)], atol=1e-6)
    np.testing.assert_allclose(brier_score(score_VC, TAG_VC), [0, 0.25])


def test_certain_and_wrong_is_bounded() -> None:
    """A score of 0 for a tag has a finite loss."""
    assert np.isfinite(log_loss(1.0 - TAG_VC, TAG_VC)).all()


def test_equal_gains_have_a_narrow_interval() -> None:
    """Where every video gains as much, each resample does."""
    videos = SimpleNamespace(videos=[SimpleNamespace(id=f"v{number}") for number in range(9)])
    text = difference(np.full(9, 0.5), np.full(9, 0.3), videos)  # type: ignore[arg-type]
    assert text == "0.5000 -> 0.3000, difference -0.2000 to -0.2000"


def test_checkpoint_without_a_curve_is_an_error() -> None:
    """There is nothing to compare."""
    checkpoint = SimpleNamespace(spec=SimpleNamespace(calibration=None))
    with pytest.raises(DataError, match="expected a checkpoint with a curve"):
        figures(checkpoint, VideoSet((), (), "none"))  # type: ignore[arg-type]

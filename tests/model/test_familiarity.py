"""Familiarity of a video."""

from dataclasses import replace

import numpy as np
import pytest

from model.errors import SpecError
from model.familiarity import FeatureStatistics, familiarity, fold
from model.predict import predict_video
from model.spec import ModelSpec

SIGNS = [1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1]
STATISTICS = FeatureStatistics((1.0, 0.0), ((0.5, 0.0), (0.0, 1.0)), (1.0, 2.0, 4.0))


def sign(channel: int) -> float:
    return float(fold(np.eye(2, dtype=np.float32))[channel, channel])


@pytest.mark.parametrize(
    ("distance", "share", "excess"),
    [
        (0.5, 1, 0.125),
        (1, 1, 0.25),
        (2, 0.5, 0.5),
        (3, 0.25, 0.75),
        (4, 0, 1),
        (5, 0, 1.25),
        (8, 0, 2),
    ],
)
def test_familiarity_is_the_share_of_the_training_videos_as_far_away(
    distance: float, share: float, excess: float
) -> None:
    """Between stored quantiles it is interpolated; the median snippet counts."""
    snippet = np.array([sign(0) * (1 + 2 * distance), 0])
    features_TD = np.array([snippet, snippet, [1e6, 0]], np.float32)
    result = familiarity(features_TD, STATISTICS)
    assert (result.share, result.excess) == pytest.approx((share, excess))
    assert (result.note is None) == (excess <= 1.25)


def test_training_videos_that_are_all_the_same_have_a_least_distance() -> None:
    """Another such video is familiar, and one beside them is a million times as far away."""
    same = FeatureStatistics((0.0,), ((1.0,),), (0.0, 0.0))
    for value, share, excess in ((0.0, 1, 0), (1.0, 0, 1e6)):
        result = familiarity(np.full((3, 1), value, np.float32), same)
        assert (result.share, result.excess) == pytest.approx((share, excess))


def test_many_channels_are_folded_to_32_with_fixed_signs() -> None:
    """The signs are part of the format of a spec, so they never change."""
    assert fold(np.ones((3, 2048), np.float32)).shape == (3, 32)
    signs_D = [int(value) for value in np.diag(fold(np.eye(12, dtype=np.float32)))]
    assert signs_D == SIGNS
    one_hot = np.zeros((1, 70), np.float32)
    one_hot[0, 65] = 2
    assert np.flatnonzero(fold(one_hot)[0]).tolist() == [65 % 32]


@pytest.mark.parametrize("value", [1e30, 3e38])
def test_huge_features_are_infinitely_far(value: float) -> None:
    """Without a warning of numpy."""
    result = familiarity(np.full((3, 64), value, np.float32), of_zeros(32))
    assert result.share == 0
    assert result.note is not None


def of_zeros(folded: int) -> FeatureStatistics:
    rows = tuple(map(tuple, np.eye(folded).tolist()))
    return FeatureStatistics((0.0,) * folded, rows, (0.0, 1.0))


def test_prediction_has_familiarity_and_a_note(spec: ModelSpec) -> None:
    """Both come from the spec; a spec without statistics has neither."""

    class Ramp:
        def cas(self, features_TD: np.ndarray) -> np.ndarray:
            return np.outer(np.arange(len(features_TD)), [1, 0, 0]).astype(np.float32)

    far_TD = np.full((10, 8), 5, np.float32)
    known = replace(spec, training_features=of_zeros(8))
    prediction = predict_video(Ramp(), far_TD, known, duration_s=5.0)
    assert prediction.familiarity == 0
    assert "unlike the training videos" in prediction.notes[0]
    near = predict_video(Ramp(), 0.08 * far_TD, known, duration_s=5.0)
    assert (near.familiarity, near.notes) == (0, ())
    assert predict_video(Ramp(), 0 * far_TD, known, duration_s=5.0).familiarity == 1
    assert predict_video(Ramp(), far_TD, spec, duration_s=5.0).familiarity is None


def test_statistics_survive_json_and_are_checked(spec: ModelSpec) -> None:
    """An older spec has none; other sizes and infinite values are refused."""
    known = replace(spec, training_features=of_zeros(8))
    assert ModelSpec.from_json(known.to_json()) == known
    older = spec.to_json().replace('"training_features":null,', "")
    assert ModelSpec.from_json(older) == spec
    with pytest.raises(SpecError, match="must have 8 channels, not 7"):
        replace(spec, training_features=of_zeros(7))
    with pytest.raises(SpecError, match="square"):
        replace(of_zeros(8), mean_F=(0.0,))
    with pytest.raises(SpecError, match=r"at least 2 quantiles, .* and 1 quantiles"):
        replace(of_zeros(1), distance_Q=(1.0,))
    with pytest.raises(SpecError, match="finite"):
        replace(of_zeros(1), mean_F=(float("nan"),))

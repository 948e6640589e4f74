"""From features to segments: what the network gets, and what becomes of its output."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from model.calibration import Calibration, Isotonic
from model.errors import FeatureError
from model.familiarity import FeatureStatistics
from model.localization.localize import class_scores
from model.predict import VideoPrediction, check_finite, predict_from_cas, predict_video
from model.snippets import resample
from model.spec import ModelSpec

CAS_TC = np.full((40, 3), -4, np.float32)
CAS_TC[5:10, 0], CAS_TC[20:30, 0] = 8, 6  # two runs of the first class
FAR = FeatureStatistics((0.0,) * 8, tuple(map(tuple, np.eye(8).tolist())), (0.0, 0.001))
"""Statistics of training features from which all features here are far away."""


class Fixed:
    """A network that records its features and has the same output for all."""

    def __init__(self, cas_TC: np.ndarray = CAS_TC) -> None:
        self.cas_TC = cas_TC
        self.got: list[np.ndarray] = []

    def cas(self, features_TD: np.ndarray) -> np.ndarray:
        """Returns the output."""
        self.got.append(features_TD)
        return self.cas_TC


@pytest.fixture
def predict(spec: ModelSpec) -> Callable[..., VideoPrediction]:
    """Predicts the segments of 20 s from that output."""
    return partial(predict_from_cas, CAS_TC, spec, duration_s=20.0)


def test_the_network_gets_features_at_its_length(spec: ModelSpec, features_TD: np.ndarray) -> None:
    """Resampled to the length of its training, or as they are."""
    native, resampled = Fixed(), Fixed()
    predict_video(native, features_TD, spec, duration_s=20.0)
    predict_video(resampled, features_TD, replace(spec, sampling="resampled"), duration_s=20.0)
    assert native.got[0] is features_TD
    np.testing.assert_array_equal(resampled.got[0], resample(features_TD, 16))


def test_features_and_a_kept_output_give_the_same(
    predict: Callable[..., VideoPrediction], spec: ModelSpec, features_TD: np.ndarray
) -> None:
    """The output of the network can be localized again without the network."""
    one, other = predict_video(Fixed(), features_TD, spec, duration_s=20.0), predict()
    assert one.segments == other.segments
    assert {segment.label for segment in one.segments} == {"jump"}
    assert (one.duration_s, one.cas_scale, one.notes, one.truncated) == (20.0, "video", (), False)
    np.testing.assert_array_equal(one.cas_TC, CAS_TC)
    np.testing.assert_array_equal(one.class_scores_C, class_scores(CAS_TC, 0.25))


def test_given_settings_replace_those_of_the_spec(
    predict: Callable[..., VideoPrediction], spec: ModelSpec, features_TD: np.ndarray
) -> None:
    """For new features and for a kept output."""
    config = replace(spec.localization, cas_scale="probability", nms="none")
    results = (
        predict(config=config),
        predict_video(Fixed(), features_TD, spec, duration_s=20.0, config=config),
    )
    assert len(predict(config=replace(config, nms="greedy")).segments) < len(results[0].segments)
    assert results[0].segments == results[1].segments
    assert {result.cas_scale for result in results} == {"probability"}


def test_the_best_segments_are_kept_and_the_rest_is_known_to_be_missing(
    predict: Callable[..., VideoPrediction], spec: ModelSpec
) -> None:
    """A limit that no segment exceeds leaves nothing out."""
    every = predict().segments
    for limit in (0, 1, len(every) - 1, len(every), len(every) + 1):
        some = predict(config=replace(spec.localization, max_segments=limit))
        assert (some.segments, some.truncated) == (every[:limit], limit < len(every))


def test_notes_state_why_nothing_was_found_and_that_the_video_is_strange(
    predict: Callable[..., VideoPrediction], spec: ModelSpec, features_TD: np.ndarray
) -> None:
    """Each on its own, and both."""
    strict, known = (
        replace(spec.localization, class_threshold=1),
        replace(spec, training_features=FAR),
    )
    (nothing,) = predict(config=strict).notes
    assert nothing.startswith("no segment was found: no class reached class_threshold 1")
    found = predict_video(Fixed(), features_TD, known, duration_s=20.0)
    assert found.segments
    assert found.familiarity == 0
    (strange,) = found.notes
    assert strange.startswith("the video is unlike the training videos")
    both = predict_video(Fixed(), features_TD, known, duration_s=20.0, config=strict)
    assert both.notes == (nothing, strange)
    assert predict().familiarity is None


def test_scores_are_calibrated_where_the_spec_has_a_curve(
    predict: Callable[..., VideoPrediction], spec: ModelSpec
) -> None:
    """A calibration without a curve changes nothing."""
    plain_C = predict().class_scores_C
    none = replace(spec, calibration=Calibration())
    np.testing.assert_array_equal(
        predict_from_cas(CAS_TC, none, duration_s=1.0).class_scores_C, plain_C
    )
    half = replace(spec, calibration=Calibration(Isotonic((0.0, 1.0), (0.0, 0.5))))
    halved_C = predict_from_cas(CAS_TC, half, duration_s=1.0).class_scores_C
    np.testing.assert_allclose(halved_C, plain_C / 2)


def test_an_error_of_the_check_ends_the_localization(
    predict: Callable[..., VideoPrediction], spec: ModelSpec, features_TD: np.ndarray
) -> None:
    """A client that is gone needs no segments."""

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        predict(check=stop)
    with pytest.raises(InterruptedError):
        predict_video(Fixed(), features_TD, spec, duration_s=20.0, check=stop)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_output_that_overflows_is_an_error_of_the_features(
    spec: ModelSpec, features_TD: np.ndarray, value: float
) -> None:
    """The message has their largest value, whatever its sign."""
    cas_TC = CAS_TC.copy()
    cas_TC[3, 1] = value
    with pytest.raises(FeatureError, match=r"is not finite: .* \(the largest is 4e\+30\)"):
        predict_video(Fixed(cas_TC), np.float32([[1, -4e30] * 4] * 40), spec, duration_s=20.0)
    check_finite(CAS_TC, features_TD)

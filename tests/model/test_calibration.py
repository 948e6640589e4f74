"""Curves from class scores to probabilities."""

from dataclasses import replace

import numpy as np
import pytest

from model.calibration import Calibration, Isotonic, Platt
from model.errors import SpecError
from model.predict import predict_from_cas
from model.spec import ModelSpec

CAS_TC = np.array([[1.0, 0.0, -1.0], [3.0, 0.0, -1.0]], np.float32)


def test_platt_moves_the_log_odds_of_each_class() -> None:
    """Odds of 1 become e; odds of 4 squared become 16; 0 and 1 stay finite."""
    curve = Platt((1.0, 2.0), (1.0, 0.0))
    assert curve(np.array([0.5, 0.8])) == pytest.approx([np.e / (1 + np.e), 16 / 17])
    assert np.isfinite(curve(np.array([0.0, 1.0]))).all()


def test_isotonic_is_level_outside_its_knots() -> None:
    """Between the knots it is a line."""
    curve = Isotonic((0.2, 0.6), (0.1, 0.9))
    assert curve(np.array([0.0, 0.2, 0.4, 1.0])) == pytest.approx([0.1, 0.1, 0.5, 0.9])


def test_isotonic_may_be_level_between_knots() -> None:
    """A longer range of scores has one probability, as isotonic regression often finds."""
    assert Isotonic((0.2, 0.6), (0.3, 0.3))(np.array([0.1, 0.4, 0.9])).tolist() == [0.3] * 3


def test_calibration_without_figures_counts_nothing() -> None:
    """A model that was not calibrated has neither a curve nor a measured video."""
    counts = (0, 0, (), (), (0.0, 0.0), (0.0, 0.0), 0, 0, 0, 0, ())
    assert Calibration() == Calibration(None, *counts)


@pytest.mark.parametrize("curve", [Platt((2.0,) * 3, (0.5,) * 3), Isotonic((0.1, 0.9), (0.2, 0.8))])
def test_prediction_has_calibrated_scores(spec: ModelSpec, curve: Platt | Isotonic) -> None:
    """The spec keeps the curve through JSON, and predictions are on its scale."""
    plain = predict_from_cas(CAS_TC, spec, duration_s=2.0)
    kept = ModelSpec.from_json(replace(spec, calibration=Calibration(curve)).to_json())
    scores_C = predict_from_cas(CAS_TC, kept, duration_s=2.0).class_scores_C
    assert scores_C == pytest.approx(curve(plain.class_scores_C))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Platt, ((1.0,), (0.0, 0.0))),
        (Platt, ((0.0,), (0.0,))),
        (Platt, ((float("inf"),), (0.0,))),
        (Platt, ((1.0,), (float("nan"),))),
        (Isotonic, ((0.5, 0.5), (0.1, 0.2))),
        (Isotonic, ((0.1, 0.5), (0.3, 0.2))),
        (Isotonic, ((0.1,), (1.2,))),
        (Isotonic, ((0.1,), (-0.2,))),
        (Isotonic, ((), ())),
    ],
)
def test_damaged_curves_are_refused(kind: type, values: tuple) -> None:
    """Another length, a falling curve and numbers out of range."""
    with pytest.raises(SpecError, match="calibration"):
        kind(*values)


def test_curve_of_other_classes_is_refused(spec: ModelSpec) -> None:
    """The spec has three labels and the curve two."""
    with pytest.raises(SpecError, match="3 slopes, not 2"):
        replace(spec, calibration=Calibration(Platt((1.0, 1.0), (0.0, 0.0))))

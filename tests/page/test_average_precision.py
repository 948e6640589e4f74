"""The page's mAP of a video equals that of training."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from model.segments import Segment
from training.measurement.metrics import detection_score

MEASURE = """
async (cases) => {
  const { measure } = await import("./page/scripts/compare/average_precision.js");
  return cases.map(({ truth, segments, tiou }) => {
    const { map, byClass, found, missed, extra } = measure(truth, segments, tiou);
    return { map, byClass: Object.fromEntries(byClass), found, missed, extra };
  });
}
"""
TIOUS = (0.1, 0.3, 0.5, 0.7, 0.95)


def drawn(seed: int) -> tuple[list[Segment], list[Segment]]:
    """Returns true and predicted segments; some predictions are near true ones, some scores tie."""
    random = np.random.default_rng(seed)
    labels = ["jump", "run", "walk"][: random.integers(1, 4)]
    truth = []
    for _ in range(random.integers(1, 12)):
        start = random.uniform(0, 90)
        truth.append(Segment(start, start + random.uniform(0.5, 9), str(random.choice(labels))))
    predicted = []
    for _ in range(random.integers(0, 30)):
        near = truth[random.integers(len(truth))]
        start = near.start_s + random.normal(0, 1.5)
        end = start + max(0.1, near.end_s - near.start_s + random.normal(0, 1))
        label = near.label if random.random() < 0.8 else "other"
        predicted.append(Segment(start, end, label, round(float(random.uniform(0, 1.2)), 1)))
    return truth, predicted


def as_json(segments: list[Segment]) -> list[dict[str, Any]]:
    """Returns segments in the form of the page."""
    return [
        {"label": one.label, "startS": one.start_s, "endS": one.end_s, "score": one.score}
        for one in segments
    ]


def test_map_of_a_video_is_that_of_training(modules: Page) -> None:
    """200 drawn videos have the mAP and the AP by class of training's metric at five thresholds."""
    videos = [drawn(seed) for seed in range(200)]
    cases = [
        {"truth": as_json(truth), "segments": as_json(predicted), "tiou": tiou}
        for truth, predicted in videos
        for tiou in TIOUS
    ]
    measured = iter(modules.evaluate(MEASURE, cases))
    for truth, predicted in videos:
        score = detection_score({"video": truth}, {"video": predicted}, TIOUS)
        for row, tiou in enumerate(TIOUS):
            case = next(measured)
            assert case["map"] == pytest.approx(score.map_at(tiou), abs=1e-12)
            by_class = dict(zip(score.classes, score.ap_KC[row], strict=True))
            assert case["byClass"] == pytest.approx(by_class, abs=1e-12)
            assert case["found"] + case["missed"] == len(truth)
            assert case["found"] + case["extra"] == len(predicted)


def test_example_of_the_documentation(modules: Page) -> None:
    """Hit, miss, hit, miss with two true segments have an average precision of 5/6."""
    truth = [Segment(0, 2, "jump"), Segment(4, 8, "jump")]
    predicted = [
        Segment(0, 2, "jump", 0.9),
        Segment(1, 3, "jump", 0.8),
        Segment(5, 8, "jump", 0.7),
        Segment(0, 1, "jump", 0.6),
    ]
    case = {"truth": as_json(truth), "segments": as_json(predicted), "tiou": 0.3}
    (result,) = modules.evaluate(MEASURE, [case])
    assert result["map"] == pytest.approx(5 / 6)
    assert (result["found"], result["missed"], result["extra"]) == (2, 0, 2)

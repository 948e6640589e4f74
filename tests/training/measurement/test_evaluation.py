from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from model.localization.localize import LocalizationConfig
from training.checkpoint import load_checkpoint
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import TorchEngine, evaluate, why_nothing_found

SCORES_VC = np.array([[0.1, 0.2], [0.05, 0.15]])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            LocalizationConfig(class_threshold=0.25),
            "no class reached class_threshold 0.25; the highest score is 0.20",
        ),
        (
            LocalizationConfig(class_threshold=0.201),
            "no class reached class_threshold 0.201; the highest score is 0.20",
        ),
        (
            LocalizationConfig(class_threshold=0.1),
            "classes reached class_threshold 0.1 (the highest score is 0.20), but none has a run "
            "above cas_threshold_min 0.05",
        ),
        (
            LocalizationConfig(class_threshold=0.1, min_score=0.9),
            "classes reached class_threshold 0.1 (the highest score is 0.20), but no segment "
            "reached min_score 0.9",
        ),
        (LocalizationConfig(class_threshold=0.1, max_segments=0), "max_segments is 0"),
    ],
)
def test_reason_why_nothing_was_found(config: LocalizationConfig, reason: str) -> None:
    """The first step of localization that left nothing, with its setting and the numbers."""
    assert why_nothing_found(SCORES_VC, config) == reason


def test_score_just_below_the_threshold_does_not_look_like_it() -> None:
    """It is printed with enough digits."""
    config = LocalizationConfig(class_threshold=0.25)
    reason = why_nothing_found(np.array([[0.2496]]), config)
    assert reason.endswith("class_threshold 0.25; the highest score is 0.2496")


def test_evaluation_gives_the_reason_only_where_it_found_nothing(
    run: Path, simulated: VideoSet
) -> None:
    """None with a usable threshold; with one that no score reaches, the sentence."""
    checkpoint = load_checkpoint(run)
    engine, videos = TorchEngine(checkpoint.network()), simulated.subset("validation")
    found = evaluate(engine, checkpoint.spec, videos, (0.5,))
    assert found.why_nothing_found(checkpoint.spec.localization) is None
    strict = replace(checkpoint.spec.localization, class_threshold=1.0)
    spec = replace(checkpoint.spec, localization=strict)
    nothing = evaluate(engine, spec, videos, (0.5,))
    assert "no class reached class_threshold 1;" in str(nothing.why_nothing_found(strict))


def test_unknown_classes_are_refused_or_named(
    simulated: VideoSet, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A network that knows no class of the videos would have 0 without a word."""
    checkpoint = load_checkpoint(run / "last.pt")
    engine, videos = TorchEngine(checkpoint.network()), simulated.subset("validation")
    first, *others = videos.videos
    strange = replace(first, labels=tuple(label.upper() + "_" for label in first.labels))
    with pytest.raises(DataError, match=r"knows none of the classes \['.*'\]; it was trained on"):
        evaluate(engine, checkpoint.spec, replace(videos, videos=(strange,)), (0.5,))
    mixed = replace(videos, videos=(strange, *others))
    evaluate(engine, checkpoint.spec, mixed, (0.5,))
    assert "the model does not know the classes" in caplog.text


def test_segments_in_ambiguous_times_do_not_count(simulated: VideoSet, run: Path) -> None:
    """Those of other videos stay."""
    checkpoint = load_checkpoint(run / "last.pt")
    engine, videos = TorchEngine(checkpoint.network()), simulated.subset("validation")
    id_ = videos.videos[0].id
    every = evaluate(engine, checkpoint.spec, videos, (0.5,)).segments
    ambiguous = {id_: [(0.0, videos.videos[0].duration_s + 1)]}
    left = evaluate(engine, checkpoint.spec, videos, (0.5,), ambiguous=ambiguous).segments
    assert every[id_]
    assert left == {**every, id_: ()}

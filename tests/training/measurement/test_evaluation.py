from dataclasses import replace
from pathlib import Path

from training.checkpoint import load_checkpoint
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import TorchEngine, evaluate


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

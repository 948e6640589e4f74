from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import DataError
from model.spec import ModelSpec
from training.checkpoint import load_checkpoint
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import TorchEngine, evaluate, require_labels


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
    simulated: VideoSet, spec: ModelSpec, caplog: pytest.LogCaptureFixture
) -> None:
    """A network that knows no class of the videos would have 0 without a word."""
    known, strange = (
        replace(simulated.videos[0], labels=(label,)) for label in (spec.labels[0], "strange")
    )
    require_labels(spec, replace(simulated, videos=(known,)))
    assert not caplog.text
    with pytest.raises(DataError, match=r"knows none of the classes \['strange'\]; it was trained"):
        require_labels(spec, replace(simulated, videos=(strange,)))
    require_labels(spec, replace(simulated, videos=(known, strange)))
    assert "the model does not know the classes ['strange']" in caplog.text


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

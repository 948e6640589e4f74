from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import DataError
from model.spec import ModelSpec
from training.checkpoint import load_checkpoint
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import (
    TorchEngine,
    evaluate,
    require_labels,
    validation_score,
)


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
    whole = {video.id: [(0.0, video.duration_s + 1)] for video in videos.videos}
    one = videos.with_ambiguous({id_: whole[id_]})
    left = evaluate(engine, checkpoint.spec, one, (0.5,))
    assert every[id_]
    assert left.segments == {**every, id_: ()}
    assert left.why_nothing_found(checkpoint.spec.localization) is None
    nothing = evaluate(engine, checkpoint.spec, videos.with_ambiguous(whole), (0.5,))
    assert nothing.why_nothing_found(checkpoint.spec.localization) == (
        f"the only {sum(map(len, every.values()))} overlap ambiguous times, so they do not count"
    )


def test_ambiguous_times_count_where_an_epoch_is_chosen(simulated: VideoSet, run: Path) -> None:
    """A score of detection leaves out the same segments as the evaluation."""
    checkpoint = load_checkpoint(run / "last.pt")
    engine, videos = TorchEngine(checkpoint.network()), simulated.subset("validation")
    whole = {video.id: [(0.0, video.duration_s + 1)] for video in videos.videos}
    assert validation_score(engine, checkpoint.spec, videos, "mAP@0.5") > 0.5
    none_left = videos.with_ambiguous(whole)
    assert validation_score(engine, checkpoint.spec, none_left, "mAP@0.5") == 0

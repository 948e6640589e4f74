"""A resumed run notices that its data, its recipe or its classes changed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import DataError, OptionError
from model.segments import Segment
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint
from training.configuration.presets import preset
from training.datasets.feature_files import HeldArray
from training.datasets.inspection import inspect_data
from training.datasets.video_record import VideoRecord, VideoSet
from training.loop import fit

RECIPE = preset("demo").override({"hidden_width": 8, "snippets": 16, "epochs": 2})


def video(number: int, label: str) -> VideoRecord:
    features_TD = np.random.default_rng(number).standard_normal((20, 4)).astype(np.float32)
    return VideoRecord(f"v{number}", "training", 12.8, (label,), (), HeldArray(features_TD))


def video_set(*videos: VideoRecord) -> VideoSet:
    return VideoSet(videos, ("jump", "run"), "a.json")


FOUR = video_set(video(0, "jump"), video(1, "run"), video(2, "jump"), video(3, "run"))


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """The folder of a finished run of two epochs."""
    fit(FOUR, None, RECIPE, tmp_path)
    before = (tmp_path / LAST).read_bytes()
    yield tmp_path
    assert (tmp_path / LAST).read_bytes() == before


def swapped() -> VideoSet:
    first, second, *others = FOUR.videos
    return video_set(
        replace(first, labels=second.labels), replace(second, labels=first.labels), *others
    )


def with_first(**changes: object) -> VideoSet:
    return video_set(replace(FOUR.videos[0], **changes), *FOUR.videos[1:])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (swapped(), r"other tags: v0 \(jump, now run\), v1 \(run, now jump\)"),
        (with_first(source=video(9, "jump").source), "other features: v0"),
        (with_first(duration_s=10.0), "other durations: v0"),
        (video_set(*FOUR.videos[1:]), "removed videos: v0"),
        (video_set(*FOUR.videos, video(4, "run")), "added videos: v4.*--epochs"),
        (with_first(id="new"), "removed videos: v0; added videos: new"),
    ],
)  # fmt: skip
def test_run_on_other_data_is_refused_by_name(out: Path, data: VideoSet, sentence: str) -> None:
    """A finished run does not return the network of the old data, and names what changed."""
    with pytest.raises(OptionError, match=f"a run on other data.*{sentence}") as refused:
        fit(data, None, RECIPE, out)
    assert "--retrain" in str(refused.value)


def test_moved_data_are_the_same_data(out: Path) -> None:
    """The path, the order and the memory layout of features do not count."""
    moved = [
        replace(each, source=HeldArray(np.asfortranarray(each.source.load())))
        for each in reversed(FOUR.videos)
    ]
    assert fit(replace(video_set(*moved), source="b.json"), None, RECIPE, out).epoch == 2


def test_retraining_starts_from_fresh_weights(tmp_path: Path) -> None:
    """It ends with the weights of a run in an empty folder, and no best.pt of the old run stays."""
    fit(FOUR, FOUR, replace(RECIPE, epochs=3), tmp_path / "old")
    assert (tmp_path / "old" / BEST).is_file()
    again = fit(swapped(), None, RECIPE, tmp_path / "old", retrain=True)
    fresh = fit(swapped(), None, RECIPE, tmp_path / "new")
    for name, value in fresh.network_state.items():
        assert torch.equal(value, again.network_state[name]), name
    assert not (tmp_path / "old" / BEST).exists()


def test_added_videos_are_learned_from_by_going_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A run with epochs left goes on with all videos and names the added ones."""
    fit(FOUR, None, RECIPE, tmp_path)
    longer, more = replace(RECIPE, epochs=4), video_set(*FOUR.videos, video(4, "run"))
    last = fit(more, None, longer, tmp_path)
    assert (last.epoch, last.spec.provenance.training_videos) == (4, 5)
    assert "used only after epoch 2" in caplog.text
    assert "v4" in caplog.text
    assert fit(more, None, longer, tmp_path).epoch == 4


def test_other_validation_videos_choose_the_best_epoch_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A score on easier videos does not keep later epochs from being the best one."""
    fit(FOUR, FOUR, RECIPE, tmp_path)
    unbeatable = replace(load_checkpoint(tmp_path), best_score=2.0)
    save_checkpoint(unbeatable, tmp_path / LAST)
    fit(FOUR, swapped(), replace(RECIPE, epochs=4), tmp_path)
    assert "validation videos changed: other tags: v0" in caplog.text
    assert load_checkpoint(tmp_path / BEST).epoch > 2


def timed(*videos: VideoRecord, end_s: float = 2.0, undecided_s: float = 0.0) -> VideoSet:
    """Videos with one segment each, and a time that nobody could decide on."""
    ambiguous = ((0.0, undecided_s),) * bool(undecided_s)
    return video_set(*(
        replace(each, id=f"held_{each.id}", instances=(Segment(0.0, end_s, each.labels[0]),),
                ambiguous=ambiguous)
        for each in videos
    ))  # fmt: skip


HELD_OUT = timed(video(7, "jump"), video(8, "run"))


@pytest.mark.parametrize("changes", [{"end_s": 3.0}, {"undecided_s": 1.0}])
def test_other_times_matter_where_detection_chooses_the_best_epoch(
    changes: dict[str, float], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An unfinished run chooses again; of a finished one, a warning says how best.pt was chosen."""
    other = timed(video(7, "jump"), video(8, "run"), **changes)
    by_tags, by_times = RECIPE, replace(RECIPE, judge="mAP@0.5")
    for judged, warns in ((by_tags, False), (by_times, True)):
        out = tmp_path / judged.judge
        fit(FOUR, HELD_OUT, judged, out)
        caplog.clear()
        fit(FOUR, other, judged, out)
        sentence = "best.pt was chosen by other validation videos: other times: held_v7, held_v8"
        assert (sentence in caplog.text) == warns
        fit(FOUR, other, replace(judged, epochs=3), out)
        assert ("validation videos changed: other times: held_v7" in caplog.text) == warns


def test_a_training_video_under_another_id_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One among the validation videos is a warning; nothing else to measure on is a refusal."""
    twin = replace(FOUR.videos[1], id="copy", subset="validation")
    fit(FOUR, video_set(twin, video(8, "jump")), RECIPE, tmp_path / "some")
    assert "1 of 2 videos to measure on have the same features as training videos" in caplog.text
    assert "'copy' as 'v1'" in caplog.text
    with pytest.raises(DataError, match=r"1 of 1 videos.*'copy' as 'v1'; expected other videos"):
        fit(FOUR, video_set(twin), RECIPE, tmp_path / "all")
    assert not (tmp_path / "all" / LAST).exists()


def test_check_names_training_videos_under_another_id() -> None:
    """A remark for some of a subset; a problem where `fit` would refuse."""
    twin = replace(FOUR.videos[1], id="copy", subset="validation")
    one = inspect_data(
        video_set(*FOUR.videos, twin, replace(video(8, "jump"), subset="validation"))
    )
    assert one.problems == []
    assert any("subset 'validation': 1 of 2 videos" in remark for remark in one.remarks)
    (problem,) = inspect_data(video_set(*FOUR.videos, twin)).problems
    assert "'copy' as 'v1'" in problem


def test_run_from_before_digests_goes_on(tmp_path: Path) -> None:
    """A checkpoint without a digest takes the data at hand as its own."""
    first: Checkpoint = fit(FOUR, None, RECIPE, tmp_path)
    save_checkpoint(replace(first, training_data=None), tmp_path / LAST)
    assert fit(FOUR, None, replace(RECIPE, epochs=3), tmp_path).epoch == 3
    with pytest.raises(OptionError, match="other tags"):
        fit(swapped(), None, replace(RECIPE, epochs=3), tmp_path)


def test_another_recipe_is_refused_by_its_fields(out: Path) -> None:
    """Fields of the recipe and of its parts, each with the old and the new value."""
    changed = RECIPE.override({"seed": 3, "beta": 1.0})
    with pytest.raises(OptionError, match=r"seed 0, now 3; beta 5\.0, now 1\.0.*--retrain"):
        fit(FOUR, None, changed, out)
    with pytest.raises(OptionError, match=r"other classes.*now without run; now with walk"):
        fit(replace(FOUR, classes=("jump", "walk")), None, RECIPE, out)

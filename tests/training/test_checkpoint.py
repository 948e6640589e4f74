from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from model.errors import ModelError, ModelNotFoundError
from training.checkpoint import (
    BEST,
    LAST,
    Checkpoint,
    find_checkpoint,
    load_checkpoint,
    remove_run,
    save_checkpoint,
)
from training.configuration.presets import preset
from training.data_digest import VideoDigest
from training.released_checkpoint import import_released


def test_saved_checkpoint_is_loaded_unchanged(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Every field and the output of the network are the same, loaded from the run's folder."""
    digest = {"v": VideoDigest(("jump",), 2.5, "ab")}
    checkpoint = replace(
        checkpoint, epoch=3, best_score=0.5, improved_epoch=2, training_data=digest
    )
    save_checkpoint(checkpoint, tmp_path / LAST)
    loaded = load_checkpoint(tmp_path)
    tensors = ("network_state", "optimizer_state", "raw_state")
    for name in (field.name for field in fields(Checkpoint) if field.name not in tensors):
        assert getattr(loaded, name) == getattr(checkpoint, name), name
    features_BTD = torch.randn(1, 9, 8)
    expected = checkpoint.network()(features_BTD)
    torch.testing.assert_close(loaded.network()(features_BTD), expected)


def test_file_from_before_some_fields_loads_with_their_defaults(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Patience, average and digests came later."""
    save_checkpoint(replace(checkpoint, improved_epoch=5), tmp_path / LAST)
    content = torch.load(tmp_path / LAST, weights_only=True)
    for name in ("improved_epoch", "raw_state", "training_data", "validation_data"):
        del content[name]
    torch.save(content, tmp_path / LAST)
    loaded = load_checkpoint(tmp_path)
    assert (loaded.improved_epoch, loaded.raw_state, loaded.training_data) == (0, {}, None)
    assert checkpoint.improved_epoch == 0


@pytest.mark.parametrize(
    ("patience", "epoch", "improved_epoch", "finished"),
    [(None, 9, 0, False), (None, 10, 0, True), (3, 6, 4, False), (3, 7, 4, True), (3, 2, 0, False)],
)
def test_a_run_is_finished_after_its_epochs_or_its_patience(
    checkpoint: Checkpoint, patience: int | None, epoch: int, improved_epoch: int, finished: bool
) -> None:
    """Ten epochs, or three without a better validation score."""
    recipe = checkpoint.recipe.override({"epochs": 10, "patience": patience})
    state = replace(checkpoint, recipe=recipe, epoch=epoch, improved_epoch=improved_epoch)
    assert state.finished is finished


@pytest.mark.parametrize(
    ("score", "is_best", "best_score", "improved_epoch"),
    [(None, False, 0.5, 2), (0.4, False, 0.5, 2), (0.5, True, 0.5, 2), (0.6, True, 0.6, 5)],
)
def test_an_epoch_improves_with_a_better_score(
    checkpoint: Checkpoint,
    score: float | None,
    is_best: bool,
    best_score: float,
    improved_epoch: int,
) -> None:
    """An equal score is kept as the best, but does not renew the patience."""
    before = replace(checkpoint, epoch=4, best_score=0.5, improved_epoch=2)
    new: dict[str, dict[str, torch.Tensor]] = {
        name: {name: torch.ones(1)} for name in ("network_state", "raw_state", "optimizer_state")
    }
    after = before.after_epoch(checkpoint.spec, score, **new)
    assert before.is_best(score) is is_best
    assert (after.epoch, after.best_score, after.improved_epoch) == (5, best_score, improved_epoch)
    assert {name: getattr(after, name) for name in new} == new


def test_the_first_score_is_the_best(checkpoint: Checkpoint) -> None:
    """Any score is better than none."""
    assert checkpoint.is_best(0.0)


def test_a_removed_run_leaves_the_files_of_others(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Checkpoints, figures and curves go; a folder without them is no error."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    for name in (BEST, "best.figures.json", "events.1", "notes.txt"):
        (tmp_path / name).touch()
    for _ in range(2):
        remove_run(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failed_write_leaves_the_old_checkpoint(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves the old content and no partial file."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    before = (tmp_path / LAST).read_bytes()

    def fail(content: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(checkpoint, tmp_path / LAST)
    assert (tmp_path / LAST).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


def test_a_folder_means_one_checkpoint(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """A folder means last.pt; a file means itself."""
    with pytest.raises(ModelNotFoundError, match="no checkpoint"):
        load_checkpoint(tmp_path)
    save_checkpoint(checkpoint, tmp_path / LAST)
    save_checkpoint(checkpoint, tmp_path / BEST)
    assert load_checkpoint(tmp_path / BEST).epoch == 0
    assert find_checkpoint(tmp_path) == tmp_path / LAST
    assert find_checkpoint(tmp_path / BEST) == tmp_path / BEST


def test_damaged_and_foreign_files_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Truncated files, text, empty files, and a pickle that would run code."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    content = (tmp_path / LAST).read_bytes()
    for name, damaged in (("cut", content[:1000]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ModelError, match=name):
            load_checkpoint(tmp_path / name)
    for name, content in (("table", {"epoch": 1}), ("tensor", torch.zeros(2))):
        torch.save(content, tmp_path / name)
    with pytest.raises(ModelError, match="table is not a checkpoint of this software: 'spec'"):
        load_checkpoint(tmp_path / "table")
    with pytest.raises(ModelError, match="tensor: expected a dictionary of named values, got a T"):
        load_checkpoint(tmp_path / "tensor")


class Harmful:
    """Pickles to the creation of a file where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_pickle_that_would_run_code_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """A checkpoint that would create a file creates none, read as ours or as a released one."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    content = torch.load(tmp_path / LAST, weights_only=True)
    torch.save({**content, "harm": Harmful(tmp_path / "created")}, tmp_path / LAST)
    with pytest.raises(ModelError, match="not a readable file of plain tensors"):
        load_checkpoint(tmp_path)
    with pytest.raises(ModelError, match="not a readable file of plain tensors"):
        import_released(tmp_path / LAST, ["jump"], preset("demo"), "test")
    assert not (tmp_path / "created").exists()
    torch.load(tmp_path / LAST, weights_only=False)
    assert (tmp_path / "created").exists(), "the pickle of this test does no harm"

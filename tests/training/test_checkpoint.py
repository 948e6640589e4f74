from pathlib import Path

import pytest
import torch

from model.errors import ModelError, ModelNotFoundError
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint


def test_saved_checkpoint_is_loaded_unchanged(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """The spec, recipe and output of the network are the same, loaded from the run's folder."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    loaded = load_checkpoint(tmp_path)
    assert (loaded.spec, loaded.recipe) == (checkpoint.spec, checkpoint.recipe)
    features_BTD = torch.randn(1, 9, 8)
    expected = checkpoint.network()(features_BTD)
    torch.testing.assert_close(loaded.network()(features_BTD), expected)


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


def test_damaged_and_foreign_files_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Truncated files, text, empty files, and a pickle that would run code."""
    save_checkpoint(checkpoint, tmp_path / LAST)
    content = (tmp_path / LAST).read_bytes()
    for name, damaged in (("cut", content[:1000]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ModelError, match=name):
            load_checkpoint(tmp_path / name)
    torch.save({"network_state": Path.cwd}, tmp_path / "code")
    with pytest.raises(ModelError, match="code"):
        load_checkpoint(tmp_path / "code")

"""The model repository."""

import subprocess
from pathlib import Path

import pytest

from model.errors import IntegrityError, OptionError
from model.repository import list_models, publish


def write(content: bytes = b"network") -> object:
    return lambda path: path.write_bytes(content)


def test_versions_count_up_and_the_newest_is_last(tmp_path: Path) -> None:
    """Version 10 is newer than version 9."""
    for _ in range(10):
        publish(tmp_path, "a", write())
    publish(tmp_path, "b", write(), version=3)
    assert [m.version for m in list_models(tmp_path)] == [*range(1, 11), 3]
    assert list_models(tmp_path)[-1].read()[0] == b"network"


def test_hash_file_is_read_by_sha256sum(tmp_path: Path) -> None:
    """A model can be checked with coreutils."""
    folder = publish(tmp_path, "a", write()).path.parent
    subprocess.run(["sha256sum", "--check", "model.onnx.sha256"], cwd=folder, check=True)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    """One changed byte is an error, and so is a missing file."""
    model = publish(tmp_path, "a", write())
    model.path.write_bytes(b"Network")
    with pytest.raises(IntegrityError, match="SHA-256"):
        model.read()
    model.path.unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        model.read()


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    """Neither a version nor a temporary folder remains."""

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        publish(tmp_path, "a", fail)
    assert list((tmp_path / "a").iterdir()) == []


def test_versions_never_change(tmp_path: Path) -> None:
    """Publishing an existing version is refused, and its file is unchanged."""
    model = publish(tmp_path, "a", write(b"first"))
    with pytest.raises(OptionError, match="exists already"):
        publish(tmp_path, "a", write(b"second"), version=1)
    assert model.read()[0] == b"first"


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "a b"])
def test_names_that_are_no_folder_are_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written outside the repository."""
    with pytest.raises(OptionError, match="name"):
        publish(tmp_path, name, write())


def test_an_absent_repository_holds_no_model(tmp_path: Path) -> None:
    """The folder may be mounted later."""
    assert list_models(tmp_path / "absent") == []


def test_a_version_has_at_most_15_digits(tmp_path: Path) -> None:
    """Longer numbers are refused, and a folder of such a name is no version to count from."""
    with pytest.raises(OptionError, match=f"at most 15 digits, got {10**15}"):
        publish(tmp_path, "a", write(), version=10**15)
    long = tmp_path / "a" / str(10**15)
    long.mkdir(parents=True)
    (long / "model.onnx").write_bytes(b"network")
    with pytest.raises(IntegrityError, match=r"at most 15 digits, .* rename its folder"):
        list_models(tmp_path)[-1].read()
    assert publish(tmp_path, "a", write(), version=10**14).version == 10**14
    assert publish(tmp_path, "a", write()).version == 10**14 + 1


def test_another_user_can_read_a_version(tmp_path: Path) -> None:
    """The service may run as one."""
    folder = publish(tmp_path, "a", write()).path.parent
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("version", [0, -1])
def test_versions_count_from_1(tmp_path: Path, version: int) -> None:
    """Nothing is written under another number."""
    with pytest.raises(OptionError, match=f"whole number from 1 as version, got {version}"):
        publish(tmp_path, "a", write(), version=version)
    assert not (tmp_path / "a").exists()


def test_files_beside_the_models_are_no_models(tmp_path: Path) -> None:
    """Neither in the repository nor in the folder of a model."""
    publish(tmp_path, "a", write())
    (tmp_path / "README").write_text("models of the team")
    (tmp_path / "a" / "2").write_text("no folder")
    assert [(model.name, model.version) for model in list_models(tmp_path)] == [("a", 1)]


def test_a_folder_that_cannot_be_examined_is_a_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading it gives the reason, and the others are found."""
    publish(tmp_path, "a", write())
    hidden = tmp_path / "a" / "2"
    is_dir = Path.is_dir

    def refused(path: Path) -> bool:
        if path == hidden:
            raise PermissionError(13, "Permission denied", str(path))
        return is_dir(path)

    hidden.mkdir()
    monkeypatch.setattr(Path, "is_dir", refused)
    assert [model.version for model in list_models(tmp_path)] == [1, 2]


def test_a_model_of_several_megabytes_is_read(tmp_path: Path) -> None:
    """The limit is that of the ONNX format."""
    content = bytes(3 * 1024**2)
    publish(tmp_path, "a", write(content))
    assert list_models(tmp_path)[0].read()[0] == content

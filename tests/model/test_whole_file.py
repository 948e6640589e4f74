"""Files that are written completely or not at all."""

import contextlib
import errno
import hashlib
import os
from pathlib import Path

import pytest

from model.whole_file import read_regular, sha256_of, whole_file, whole_path


def test_file_appears_with_all_of_its_content(tmp_path: Path) -> None:
    """The folder is created, and no temporary file remains."""
    path = tmp_path / "new" / "file.bin"
    with whole_file(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


def test_old_file_survives_a_failure(tmp_path: Path) -> None:
    """This holds for writers of a file and for writers of a path."""
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with contextlib.suppress(RuntimeError), whole_file(path) as file:
        file.write(b"new")
        raise RuntimeError
    with contextlib.suppress(RuntimeError), whole_path(path) as partial:
        partial.write_bytes(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_error_names_the_file(tmp_path: Path) -> None:
    """An error of `write` does not name it by itself."""
    path = tmp_path / "file.bin"
    with pytest.raises(OSError, match=r"No space left.*file\.bin"), whole_file(path):
        raise OSError(28, "No space left on device")


def test_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    """The hash has hexadecimal digits, as `sha256sum` writes it."""
    path = tmp_path / "file.bin"
    path.write_bytes(b"content")
    assert sha256_of(path) == sha256_of(b"content") == hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize("length", [243, 255])
def test_the_longest_names_are_written(tmp_path: Path, length: int) -> None:
    """A file system allows 255 bytes, and the temporary name is shorter."""
    path = tmp_path / ("x" * length)
    with whole_file(path) as file:
        file.write(b"content")
    assert path.read_bytes() == b"content"


def test_writers_of_one_path_do_not_meet(tmp_path: Path) -> None:
    """Each has a temporary file of its own; the last one to end wins."""
    path = tmp_path / "file.bin"
    with whole_file(path) as first:
        with whole_file(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        first.write(b"first")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_regular_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    """The largest allowed file is read; a larger one is refused with both sizes."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular(path, max_bytes=5) == b"12345"
    with pytest.raises(OSError, match="expected at most 4 bytes, got 5") as refused:
        read_regular(path, max_bytes=4)
    assert (refused.value.errno, refused.value.filename) == (errno.EFBIG, str(path))


def test_other_files_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe without a writer would stop its reader for ever, even one that came after a look."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="expected a regular file"):
            read_regular(path, max_bytes=5)
    monkeypatch.setattr("model.whole_file.stat.S_ISREG", lambda _: True)
    assert read_regular(tmp_path / "pipe", max_bytes=5) == b""


@pytest.mark.parametrize("size", [4, 6])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Whether it grows or shrinks after its size is known."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    fstat = os.fstat

    def then_change(file: int) -> os.stat_result:
        known = fstat(file)
        os.truncate(path, size)
        return known

    monkeypatch.setattr("model.whole_file.os.fstat", then_change)
    with pytest.raises(OSError, match="changes while it is read"):
        read_regular(path, max_bytes=5)


def test_content_is_on_the_disk_before_it_replaces_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, so that a power failure leaves the old file or the new one."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    synced: list[tuple[int, bytes]] = []
    monkeypatch.setattr(
        "model.whole_file.os.fsync",
        lambda file: synced.append((os.fstat(file).st_size, path.read_bytes())),
    )
    with whole_file(path) as file:
        file.write(b"12345")
    assert synced == [(5, b"old")]

"""The lock of a folder."""

import errno
import fcntl
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from features.folder_lock import LOCK, locked
from model.errors import OptionError

ROOT = Path(__file__).parents[2]


def test_a_held_lock_refuses_and_names_its_holder(tmp_path: Path) -> None:
    """The sentence has process and machine; once the holder ends, nothing is left of the lock."""
    folder = tmp_path / "new" / "folder"
    named = f"process {os.getpid()} on {socket.gethostname()} is at work in {folder}"
    with locked(folder):
        with pytest.raises(OptionError, match=named), locked(folder, wait=False):
            pytest.fail("two holders of one lock")
        assert (folder / LOCK).is_file()
    with locked(folder, wait=False):
        pass
    assert list(folder.iterdir()) == []


def test_an_error_frees_the_lock(tmp_path: Path) -> None:
    """The error passes on, and no file is left."""
    with pytest.raises(ValueError, match="own"), locked(tmp_path):
        raise ValueError("own")
    with locked(tmp_path, wait=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """The file that it leaves names nobody any more; the next holder replaces it."""
    held = (
        "import sys; from pathlib import Path; from features.folder_lock import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held, str(tmp_path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        refused = pytest.raises(OptionError, match=f"process {process.pid} on")
        with refused, locked(tmp_path, wait=False):
            pass
        process.kill()
        process.wait()
    assert (tmp_path / LOCK).is_file()
    with locked(tmp_path, wait=False):
        assert str(os.getpid()) in (tmp_path / LOCK).read_text()


@pytest.mark.parametrize(("error", "warns"), [(errno.ENOLCK, True), (errno.EROFS, False)])
def test_a_disk_without_locks_or_writing_needs_no_lock(
    error: int, warns: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """A finished run on a read-only disk can be read; other errors of the disk pass on."""

    def fail(*_: object) -> None:
        raise OSError(error, "made up")

    monkeypatch.setattr("fcntl.flock", fail)
    with locked(tmp_path, wait=False):
        pass
    assert ("has no locks" in caplog.text) == warns
    error = errno.EIO
    with pytest.raises(OSError, match="made up"), locked(tmp_path):
        pass


def test_a_lock_file_that_its_holder_removed_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that waited for a removed file would share the folder with the next one."""
    path, flock = tmp_path / LOCK, fcntl.flock
    path.touch()

    def removed_meanwhile(descriptor: int, kind: int) -> None:
        flock(descriptor, kind)
        monkeypatch.setattr("fcntl.flock", flock)
        path.unlink()

    monkeypatch.setattr("fcntl.flock", removed_meanwhile)
    with locked(tmp_path):
        assert str(os.getpid()) in path.read_text()
        with pytest.raises(OptionError), locked(tmp_path, wait=False):
            pass


def test_a_waiting_process_gets_the_lock_after_its_holder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the holder that it waits for."""
    caplog.set_level(logging.INFO, logger="features.folder_lock")
    order, waits = [], threading.Event()

    class Noticed(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            waits.set()

    noticed = Noticed()
    logging.getLogger("features.folder_lock").addHandler(noticed)

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    try:
        with locked(tmp_path):
            thread.start()
            assert waits.wait(30)
            order.append("first")
        thread.join()
    finally:
        logging.getLogger("features.folder_lock").removeHandler(noticed)
    assert order == ["first", "second"]
    assert f"process {os.getpid()} on" in caplog.text

"""`python -m training extract`, from videos to features."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from model.extractors import open_extractor
from model.video import read_snippets
from training.__main__ import main
from training.extraction import find_videos
from training.extraction_worker import ExtractionWorker, Failed, Task

ROOT = Path(__file__).parents[2]
Film = Callable[..., Path]


@pytest.fixture
def videos(film: Film, tmp_path: Path) -> Path:
    """Two videos, one of them in a folder of its own, and a file that is none."""
    folder = tmp_path / "videos"
    (folder / "indoors").mkdir(parents=True)
    film(folder / "a.mp4", [n / 25 for n in range(40)])
    film(folder / "indoors" / "b.mkv", [n / 30 for n in range(60)])
    (folder / "notes.txt").write_text("not a video")
    return folder


def extract(videos: Path, out: Path, *more: str) -> int:
    return main(["extract", str(videos), "--out", str(out), "--workers", "2", *more])


def test_features_are_what_the_extractor_gives(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One float32 file a video, in the folders of the videos, with its origin beside it."""
    out = tmp_path / "features"
    assert extract(videos, out, "--extractor", "motion") == 0
    assert "2 videos extracted, 0 up to date, 0 failed" in capsys.readouterr().out
    motion = open_extractor("motion")
    for name, path in find_videos(videos).items():
        expected = list(motion.features(read_snippets(
            path, rate_fps=motion.rate_fps, snippet_frames=motion.snippet_frames,
            short_side=motion.short_side)))  # fmt: skip
        got = np.load(out / f"{name}.npy")
        assert got.dtype == np.float32
        np.testing.assert_array_equal(np.stack(expected), got)
        assert json.loads((out / f"{name}.json").read_text())["extractor"] == motion.id
    assert len([path for path in out.rglob("*") if path.is_file()]) == 4


def test_only_what_changed_is_done_again(
    videos: Path, film: Film, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another video, another extractor, a file that is gone; a new date alone is no change."""
    out = tmp_path / "features"
    assert extract(videos, out) == 0
    capsys.readouterr()
    (videos / "a.mp4").touch()
    assert extract(videos, out) == 0
    assert "0 videos extracted, 2 up to date" in capsys.readouterr().out

    film(videos / "a.mp4", [n / 25 for n in range(70)])
    origin = out / "indoors" / "b.json"
    origin.write_text(origin.read_text().replace("motion", "emotion"))
    assert extract(videos, out) == 0
    assert "2 videos extracted, 0 up to date" in capsys.readouterr().out
    assert len(np.load(out / "a.npy")) == 4

    (out / "a.npy").unlink()
    origin.write_text("{broken")
    assert extract(videos, out) == 0
    assert "2 videos extracted, 0 up to date" in capsys.readouterr().out


def test_videos_that_fail_are_named_and_the_others_done(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, each with its reason; the next run tries them again."""
    (videos / "text.mp4").write_text("Dear diary")
    (videos / "empty.avi").write_bytes(b"")
    out = tmp_path / "features"
    assert extract(videos, out) == 1
    told = capsys.readouterr()
    assert "2 videos extracted, 0 up to date, 2 failed" in told.out
    assert "2 of 4 videos have no features" in told.err
    assert "text.mp4: text.mp4 is not a video that can be read" in told.err
    assert "empty.avi: empty.avi is not a video that can be read" in told.err
    assert {"a.npy", "b.npy"} == {path.name for path in out.rglob("*.npy")}
    (videos / "text.mp4").unlink()
    (videos / "empty.avi").unlink()
    assert extract(videos, out) == 0


def test_worker_that_is_killed_costs_its_video_alone(videos: Path) -> None:
    """A crash in a library is a failure of that video; the next one is done by a new process."""
    worker = ExtractionWorker("motion")
    try:
        task = Task(videos / "a.mp4", known=None)
        assert not isinstance(worker.ask(task), Failed)
        worker._process.kill()
        worker._process.join()
        killed = worker.ask(task)
        assert isinstance(killed, Failed)
        assert "ended with status -9" in killed.reason
        assert not isinstance(worker.ask(task), Failed)
    finally:
        worker.stop()


def test_videos_that_would_share_features_are_an_error(videos: Path, film: Film) -> None:
    """a.mp4 and a.avi would both be a.npy; and a folder without videos is one, too."""
    film(videos / "a.avi", [0, 0.04])
    with pytest.raises(DataError, match=r"a\.avi and .*a\.mp4 would have the same features a"):
        find_videos(videos)
    with pytest.raises(DataError, match="no videos below"):
        find_videos(videos / "nowhere")


def test_unknown_extractor_is_an_error(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read."""
    assert extract(videos, tmp_path / "features", "--extractor", "emotion") == 1
    assert "no extractor 'emotion'" in capsys.readouterr().err


def test_killed_run_goes_on_where_it_was(film: Film, tmp_path: Path) -> None:
    """`kill -9` in the middle, again and again: whole files only, and none is done twice."""
    videos, out = tmp_path / "videos", tmp_path / "features"
    videos.mkdir()
    for number in range(3):
        film(videos / f"{number}.mp4", [n / 25 for n in range(120 + number)])
    command = [sys.executable, "-c", _EXTRACT, str(videos), str(out)]
    times: dict[str, int] = {}
    for _ in range(12):
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
        wait_for_more_than(len(times), out, process)
        process.send_signal(signal.SIGKILL)
        killed = process.wait() != 0
        for path in out.glob("*.npy"):
            assert np.load(path).shape[0] == 8
        done = {path.stem: path.stat().st_mtime_ns for path in out.glob("*.json")}
        assert times.items() <= done.items()
        times = done
        if not killed:
            break
    assert len(times) == 3
    assert not list(out.glob(".*"))


_EXTRACT = """
import sys
from pathlib import Path
from training.extraction import extract, find_videos
if __name__ == "__main__":
    videos = find_videos(Path(sys.argv[1]))
    for outcome in extract(videos, Path(sys.argv[2]), extractor="motion", workers=1):
        assert outcome.failure is None
"""
"""The command without torch, which takes seconds to import."""


def wait_for_more_than(count: int, out: Path, process: "subprocess.Popen[bytes]") -> None:
    """Returns once further videos are done, or the process has ended."""
    deadline = time.monotonic() + 60
    while process.poll() is None and len(list(out.glob("*.json"))) <= count:
        if time.monotonic() > deadline:
            pytest.fail("no video within a minute")
        time.sleep(0.01)

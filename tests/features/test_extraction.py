"""`extract`, from videos to features."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from features.backbone.spec import METADATA_KEY, BackboneSpec, InputSpec
from features.extraction import find_videos, flow_on_gpu
from features.extraction_worker import ExtractorChoice
from features.extractors import open_extractor, video_rows
from features.flow.opencv import I3D_BOUND_PX
from model.errors import DataError, DeviceError
from training.__main__ import main

ROOT = Path(__file__).parents[2]
Film = Callable[..., Path]


@pytest.fixture
def videos(film: Film, tmp_path: Path) -> Path:
    """Two videos, one of them in a folder of its own, and a file that is not a video."""
    folder = tmp_path / "videos"
    (folder / "indoors").mkdir(parents=True)
    film(folder / "a.mp4", [n / 25 for n in range(40)])
    film(folder / "indoors" / "b.mkv", [n / 30 for n in range(60)])
    (folder / "notes.txt").write_text("not a video")
    return folder


def extract(videos: Path, out: Path, *more: str) -> int:
    return main(["extract", str(videos), "--out", str(out), "--workers", "2", *more])


def test_features_are_those_of_the_extractor(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each video has one float32 file, in the same subfolder, with its origin beside it."""
    out = tmp_path / "features"
    assert extract(videos, out, "--extractor", "motion") == 0
    assert "2 videos extracted, 0 up to date, 0 failed" in capsys.readouterr().out
    motion = open_extractor("motion")
    for name, path in find_videos(videos).items():
        expected = list(video_rows(motion, path))
        got = np.load(out / f"{name}.npy")
        assert got.dtype == np.float32
        np.testing.assert_array_equal(np.stack(expected), got)
        assert json.loads((out / f"{name}.json").read_text())["extractor"] == motion.id
    assert len([path for path in out.rglob("*") if path.is_file()]) == 4


def test_only_changes_are_extracted_again(
    videos: Path, film: Film, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another video, another extractor or a missing file is a change; a new date is not."""
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
    assert len(np.load(out / "a.npy")) == 5

    (out / "a.npy").unlink()
    origin.write_text("{broken")
    assert extract(videos, out) == 0
    assert "2 videos extracted, 0 up to date" in capsys.readouterr().out


def test_videos_that_fail_are_named_and_the_others_done(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1, each reason is printed, and the next run tries again."""
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


def test_videos_that_would_share_features_are_an_error(videos: Path, film: Film) -> None:
    """a.mp4 and a.avi would both be a.npy; a folder without videos is an error too."""
    film(videos / "a.avi", [0, 0.04])
    with pytest.raises(DataError, match=r"a\.avi and .*a\.mp4 would have the same features a"):
        find_videos(videos)
    with pytest.raises(DataError, match="no videos below"):
        find_videos(videos / "nowhere")


def test_unknown_extractor_is_an_error(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error comes before any video is read."""
    assert extract(videos, tmp_path / "features", "--extractor", "emotion") == 2
    assert "no extractor 'emotion'" in capsys.readouterr().err


@pytest.fixture
def mean_flow(tmp_path: Path) -> Path:
    """An ONNX file that computes the mean TV-L1 flow of a small square."""
    flow = InputSpec("flow", "NTHWC", scale=1.0, stream="tvl1")
    spec = BackboneSpec((flow,), "features", frames=2, snippet_frames=4, short_side=20, size=16)
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    mean = helper.make_node("ReduceMean", ["flow", "axes"], ["features"], keepdims=0)
    shape = ["batch", *spec.shape(flow)[1:]]
    inputs = [helper.make_tensor_value_info("flow", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 2])]
    graph = helper.make_graph([mean], "mean", inputs, outputs, [axes])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    network.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
    onnx.save(network, tmp_path / "mean_flow.onnx")
    return tmp_path / "mean_flow.onnx"


def test_library_of_the_flow_is_recorded(videos: Path, mean_flow: Path, tmp_path: Path) -> None:
    """It is OpenCV on the CPU; features with flow of torch are up to date for both."""
    out = tmp_path / "features"
    on_cpu = ["--extractor", str(mean_flow), "--flow-device", "cpu"]
    assert extract(videos, out, *on_cpu) == 0
    origin = out / "a.json"
    assert json.loads(origin.read_text())["tvl1"] == "opencv"
    origin.write_text(origin.read_text().replace("opencv", "torch"))
    assert extract(videos, out, *on_cpu) == 0
    assert json.loads(origin.read_text())["tvl1"] == "torch"


@pytest.mark.parametrize("present", [True, False])
def test_gpu_is_used_where_it_helps(
    mean_flow: Path, monkeypatch: pytest.MonkeyPatch, present: bool
) -> None:
    """By default this needs a GPU and an extractor with TV-L1 flow; `cpu` turns it off."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    sees, sees_none = open_extractor(str(mean_flow)), open_extractor("motion")
    assert flow_on_gpu("auto", sees) == present
    assert not flow_on_gpu("auto", sees_none)
    assert not flow_on_gpu("cpu", sees)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_flow_on_a_gpu_that_is_not_there_is_an_error(
    videos: Path, mean_flow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error comes before any video is read; an extractor without TV-L1 flow is an error too."""
    out, cuda = tmp_path / "features", ("--flow-device", "cuda")
    assert extract(videos, out, "--extractor", str(mean_flow), *cuda) == 1
    assert "torch sees no CUDA GPU" in capsys.readouterr().err
    assert extract(videos, out, *cuda) == 2
    assert "motion-" in (told := capsys.readouterr().err)
    assert "does not use" in told
    assert not out.exists()
    with pytest.raises(DeviceError):
        ExtractorChoice(str(mean_flow), flow_on_gpu=True).open()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_flow_on_a_gpu_gives_nearly_the_same_features(
    videos: Path, mean_flow: Path, tmp_path: Path
) -> None:
    """An existing GPU is used by default, and recorded."""
    on_gpu, on_cpu = tmp_path / "gpu", tmp_path / "cpu"
    assert extract(videos, on_gpu, "--extractor", str(mean_flow)) == 0
    assert extract(videos, on_cpu, "--extractor", str(mean_flow), "--flow-device", "cpu") == 0
    assert json.loads((on_gpu / "a.json").read_text())["tvl1"] == "torch"
    expected = np.load(on_cpu / "a.npy")
    np.testing.assert_allclose(np.load(on_gpu / "a.npy"), expected, atol=0.1 / I3D_BOUND_PX)


def test_killed_run_resumes(film: Film, tmp_path: Path) -> None:
    """After each `kill -9` all files are complete, and no video is extracted twice."""
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
from features.extraction import extract, find_videos
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


def test_names_of_any_length_affect_no_other_video(
    film: Film, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name of 250 bytes has features, one of 251 bytes has no room for its origin."""
    folder, out = tmp_path / "videos", tmp_path / "features"
    folder.mkdir()
    for name in ("a", "b" * 243, "c" * 250, "d" * 251):
        film(folder / "new.mp4", [n / 25 for n in range(20)]).rename(folder / f"{name}.mp4")
    assert extract(folder, out) == 1
    printed = capsys.readouterr()
    assert "3 videos extracted, 0 up to date, 1 failed" in printed.out
    assert "File name too long" in printed.err
    assert {"a.npy", f"{'b' * 243}.npy", f"{'c' * 250}.npy"} == {p.name for p in out.glob("*.npy")}


def test_processes_that_extract_to_one_folder_take_turns(videos: Path, tmp_path: Path) -> None:
    """As the processes of torchrun do: one extracts, the others find its features up to date."""
    out = tmp_path / "features"
    out.mkdir()
    (out / ".0123.partial").write_bytes(b"left by a process that was killed")
    command = [sys.executable, "-m", "training", "extract", str(videos), "--out", str(out)]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    printed = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert sum("2 videos extracted, 0 up to date" in text for text in printed) == 1
    assert sum("0 videos extracted, 2 up to date" in text for text in printed) == 2
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize("suffix", ["3g2", "dav", "divx", "f4v", "m2v", "qt", "rm", "RMVB"])
def test_rarer_suffixes_are_videos(tmp_path: Path, suffix: str) -> None:
    """Their containers are among those that are read."""
    (tmp_path / f"video.{suffix}").touch()
    assert list(find_videos(tmp_path)) == ["video"]

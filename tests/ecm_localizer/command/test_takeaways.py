"""Files of `ecm localize` beside its results: other formats, plots, clips, labelled copies."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import av
import cv2
import numpy as np
import opentimelineio as otio
import pytest

from ecm_localizer import Localizer
from ecm_localizer.command.main import main
from features.video.reading import probe


@pytest.fixture
def here(video: Path, videos_model: Path) -> list[str]:
    """The words that localize the video in this process."""
    return ["localize", str(video), "--model", str(videos_model)]


def test_each_format_is_printed_and_written(
    here: list[str], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the frame rate and the path of the video."""

    def printed(name: str) -> str:
        assert main([*here, "--format", name]) == 0
        return capsys.readouterr().out

    expected = len(Localizer.open(here[-1]).localize(video))
    timeline = otio.adapters.read_from_string(printed("edl"), "cmx_3600", rate=25)
    assert len(list(timeline.find_clips())) == expected
    assert timeline.find_clips()[0].name == "film.mp4"
    assert len(list(ET.fromstring(printed("elan")).iter("ANNOTATION"))) == expected
    assert len(json.loads(printed("labelstudio"))[0]["predictions"][0]["result"]) == expected
    assert len(json.loads(printed("boris"))["observations"]["film"]["events"]) == 2 * expected
    assert len(json.loads(printed("json"))["segments"]) == expected
    assert printed("csv").count("\n") == expected + 1
    for name in ("film.edl", "film.eaf", "film.boris"):
        assert main([*here, "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 100


def test_a_terminal_gets_a_table_and_a_pipe_lines_of_json(
    here: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless --format says otherwise."""
    assert main(here) == 0
    assert json.loads(capsys.readouterr().out)["video_id"] == "film"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(here) == 0
    assert "in a video of 4.2 s" in capsys.readouterr().out


def test_plot_clips_and_copy_come_beside_clean_lines(
    here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of JSON in the pipe have no class activation, which the plot has."""
    options = {"plot": "line.png", "clips": "clips", "burn": "copy.mp4"}
    extra = [word for key, name in options.items() for word in (f"--{key}", str(tmp_path / name))]
    assert main([*here, *extra, "--all", "--max-segments", "3", "--exact"]) == 0
    output = capsys.readouterr()
    assert "cas" not in json.loads(output.out)
    assert output.err.count(str(tmp_path)) >= 3
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")
    assert probe(tmp_path / "copy.mp4").duration_s == pytest.approx(4.0, abs=0.1)
    assert len(list((tmp_path / "clips").glob("*.mp4"))) == 3
    assert (tmp_path / "clips" / "film_clips.csv").read_text().count("\n") == 4


def test_a_plot_is_the_same_with_a_service(
    repository: Path, url: str, features_TD: np.ndarray, tmp_path: Path
) -> None:
    """Up to the digits that the service rounds to."""
    np.save(tmp_path / "a.npy", features_TD)
    images = []
    for name, place in (
        ("here", ["--model", str(repository / "small")]),
        ("there", ["--url", url]),
    ):
        out = tmp_path / f"{name}.png"
        assert main(["localize", str(tmp_path / "a.npy"), *place, "--plot", str(out)]) == 0
        images.append(cv2.imread(str(out)).astype(int))
    assert np.abs(images[0] - images[1]).mean() < 0.5
    assert images[0].std() > 10


def test_clips_say_how_early_they_start(
    here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At key frames; a second run does not replace them."""
    words = [*here, "--all", "--max-segments", "5", "--clips", str(tmp_path / "clips")]
    assert main(words) == 0
    assert "5 clips of" in capsys.readouterr().err
    before = {path: path.read_bytes() for path in (tmp_path / "clips").iterdir()}
    assert main(words) == 1
    assert "exists; expected a folder without clips of this video" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "clips").iterdir()} == before
    assert main([*words, "--overwrite"]) == 0


def test_folders_have_a_file_for_each_video(here: list[str], video: Path, tmp_path: Path) -> None:
    """Plots, copies and results, by the id of the video."""
    (tmp_path / "other.mp4").write_bytes(video.read_bytes())
    words = [
        "localize",
        str(tmp_path / "other.mp4"),
        *here[1:],
        "--format",
        "edl",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*words, "--plot", str(tmp_path / "p"), "--burn", str(tmp_path / "b")]) == 0
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {
        "other.mp4", "out/film.edl", "out/other.edl", "p/film.png", "p/other.png", "b/film.mp4",
        "b/other.mp4",
    }  # fmt: skip


def test_the_video_itself_is_never_replaced(here: list[str], video: Path, tmp_path: Path) -> None:
    """Neither with --overwrite."""
    before = video.read_bytes()
    assert main([*here, "--burn", str(video)]) == 2
    assert main([*here, "--burn", str(video), "--overwrite"]) == 1
    link = tmp_path / "link.mp4"
    link.symlink_to(video)
    assert main([*here, "--burn", str(link), "--overwrite"]) == 1
    assert video.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "vtt"], "--format vtt: .vtt holds one video, not 2"),
        (["--format", "table", "--out", "x.csv"], "a table is for the screen"),
        (["--plot", "x.gif"], "unknown ending .gif; expected .png, .svg, .pdf or a folder"),
        (["--plot", "x.png"], "holds one video, not 2; give a folder"),
        (["--burn", "x.avi"], "unknown ending .avi; expected .mp4 or a folder"),
        (["--clips", "clips"], "--clips needs video files on this machine, got"),
        (["--burn", "copies"], "--burn needs video files on this machine, got"),
        (["--exact"], "--exact is about clips"),
        (["--format", "labelstudio"], "has no frame rate; give --frame-rate"),
        (["--out", "file/x.csv"], "file/x.csv cannot be written, because file is no folder"),
        (["--plot", "file/plots"], "is no folder to write to"),
    ],
)
def test_what_cannot_be_written_is_known_before_the_work(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is sent or written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, np.zeros((4, 8), np.float32))
    before = sorted(tmp_path.iterdir())
    assert main(["localize", "a.npy", "b.npy", "--url", "http://127.0.0.1:1", *options]) == 2
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_features_have_frames_with_a_frame_rate(
    videos_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is for features, and for videos whose header is wrong."""
    dim = Localizer.open(videos_model).spec.feature_dim
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((30, dim), np.float32))
    words = ["localize", str(tmp_path / "a.npy"), "--model", str(videos_model)]
    assert main([*words, "--format", "edl", "--frame-rate", "29.97"]) == 0
    assert "FCM: DROP FRAME" in capsys.readouterr().out


def test_a_damaged_video_leaves_no_file(
    videos_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and no clip, plot or copy."""
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    options = ["--clips", str(tmp_path / "c"), "--burn", str(tmp_path / "b.mp4")]
    assert (
        main(["localize", str(tmp_path / "bad.mp4"), "--model", str(videos_model), *options]) == 1
    )
    assert "bad.mp4 is not a video that can be read" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mp4"]


def test_the_copy_shows_the_labels(here: list[str], video: Path, tmp_path: Path) -> None:
    """The frames differ from those of the video, at the bottom."""
    copy = tmp_path / "copy.mp4"
    assert main([*here, "--all", "--burn", str(copy)]) == 0
    with av.open(str(copy)) as burnt, av.open(str(video)) as plain:
        pairs = zip(burnt.decode(video=0), plain.decode(video=0), strict=True)
        difference = [
            float(np.abs(a.to_ndarray(format="rgb24")[-14:].astype(int)
                         - b.to_ndarray(format="rgb24")[-14:]).mean())
            for a, b in pairs
        ]  # fmt: skip
    assert max(difference) > 20

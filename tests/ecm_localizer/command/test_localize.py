"""`ecm localize` with a model in this process and with a service."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ecm_localizer import Localizer
from ecm_localizer.command.main import main
from training.datasets.result_file import read_detections


@pytest.fixture
def folder(tmp_path: Path, features_TD: np.ndarray) -> Path:
    """Features of two videos, one in a folder of its own, and two files that are none."""
    folder = tmp_path / "my_features"
    (folder / "deep").mkdir(parents=True)
    np.save(folder / "a.npy", features_TD)
    np.save(folder / "deep" / "b.npy", features_TD[:20])
    np.save(folder / "narrow.npy", np.zeros((50, 3), np.float32))
    (folder / "text.npy").write_text("hello")
    (folder / "notes.txt").write_text("no input")
    return folder


@pytest.fixture
def good(folder: Path) -> Path:
    """The same folder without the bad files."""
    (folder / "narrow.npy").unlink()
    (folder / "text.npy").unlink()
    return folder


def test_one_bad_file_costs_no_other(
    folder: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad files are reported and counted; the results of the others are written."""
    out = tmp_path / "all.json"
    words = ["localize", str(folder), "--model", str(repository / "small"), "--out", str(out)]
    assert main(words) == 1
    assert sorted(read_detections(out)) == ["a", "deep/b"]
    output = capsys.readouterr()
    assert output.out.startswith(f"{out}: 2 videos, ")
    assert "narrow.npy" in output.err
    assert "text.npy" in output.err
    assert output.err.endswith("error: 2 of 4 inputs failed\n")


@pytest.mark.parametrize("name", ["all.json", "all.jsonl", "all.csv", "all.vtt", "folder", ""])
def test_a_name_that_is_no_text_is_written_escaped(
    name: str, good: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In every format, and on the screen."""
    odd = good / os.fsdecode(b"caf\xe9.npy")
    shutil.copy(good / "a.npy", odd)
    out = ["--out", str(tmp_path / name)] if name else ["--all", "--format", "table"]
    assert main(["localize", str(odd), "--model", str(repository / "small"), *out]) == 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["all.json", "all.csv", "folder", ""])
def test_notes_are_printed_where_results_go_to_files(
    name: str, good: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a note, with its input; the list on the screen has the reason in its place."""
    out = ["--out", str(tmp_path / name)] if name else []
    words = ["localize", str(good), "--model", str(repository / "small"), *out]
    assert main([*words, "--class-threshold", "1"]) == 0
    output = capsys.readouterr()
    reason = "no class reached class_threshold 1; the highest score is"
    files = good / "a.npy", good / "deep" / "b.npy"
    expected = [f"note: {file}: no segment was found: {reason}" for file in files]
    lines = output.err.splitlines()
    assert len(lines) == (2 if name else 0)
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=False))
    assert (reason in output.out) == (not name)


def test_a_result_that_cannot_be_written_costs_no_other(
    good: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name of 251 bytes has no room for the ending .json of its result."""
    shutil.copy(good / "a.npy", good / f"{'x' * 251}.npy")
    out = tmp_path / "out"
    words = ["localize", str(good), "--model", str(repository / "small"), "--out", str(out)]
    assert main(words) == 1
    assert sorted(path.name for path in out.rglob("*.json")) == ["a.json", "b.json"]
    output = capsys.readouterr().err
    assert "File name too long" in output
    assert output.endswith("error: 1 of 3 inputs failed\n")


def test_inputs_of_other_kinds_cost_no_other(
    good: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe, an archive, a long name, values that overflow the network, and a null byte."""
    os.mkfifo(good / "pipe.npy")
    np.savez(good / "archive.npz", np.zeros((4, 8), np.float32))
    np.save(good / "large.npy", np.full((40, 8), 3e38, np.float32))
    bad = [good / "pipe.npy", good / "archive.npz", good / "large.npy", "x" * 5000, "a\0.mp4"]
    out = tmp_path / "all.json"
    words = ["localize", *map(str, bad), str(good / "a.npy"), "--out", str(out)]
    assert main([*words, "--model", str(repository / "small")]) == 1
    assert list(read_detections(out)) == ["a"]
    output = capsys.readouterr().err
    assert output.endswith("error: 5 of 6 inputs failed\n")
    assert "Traceback" not in output


def test_service_and_process_write_the_same(
    good: Path, repository: Path, url: str, tmp_path: Path
) -> None:
    """From a folder and a file, with options."""
    texts = []
    for name, place in (
        ("here", ["--model", str(repository / "small")]),
        ("there", ["--url", url]),
    ):
        out = tmp_path / f"{name}.csv"
        words = ["localize", str(good / "deep"), str(good / "a.npy"), *place, "--out", str(out)]
        assert main([*words, "--snippet-s", "0.5", "--max-segments", "5"]) == 0
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    rows = list(csv.DictReader(texts[0].splitlines()))
    assert {row["video"] for row in rows} == {"a", "b"}
    assert all(len(row["start_s"].partition(".")[2]) <= 3 for row in rows)


def test_each_format_holds_the_same_segments(good: Path, repository: Path, tmp_path: Path) -> None:
    """ActivityNet's JSON, JSON lines, CSV, WebVTT, and a folder of JSON files."""
    model = repository / "small"
    expected = Localizer.open(model).localize(good / "a.npy")
    words = ["localize", str(good / "a.npy"), "--model", str(model)]
    for name in ("all.json", "all.jsonl", "all.csv", "all.vtt", "folder"):
        assert main([*words, "--out", str(tmp_path / name)]) == 0
    assert len(read_detections(tmp_path / "all.json")["a"]) == len(expected)
    line = json.loads((tmp_path / "all.jsonl").read_text())
    assert (line["file"], line["video_id"]) == (str(good / "a.npy"), "a")
    del line["timing_ms"]
    alone = json.loads((tmp_path / "folder" / "a.json").read_text())
    del alone["timing_ms"]
    assert line == alone
    assert len(line["segments"]) == len(expected)
    assert (tmp_path / "all.csv").read_text().count("\n") == len(expected) + 1
    assert (tmp_path / "all.vtt").read_text() == expected.to_vtt()


def test_lines_of_json_are_for_programs(
    good: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe gets one object for each input, with all segments, to the millisecond."""
    assert main(["localize", str(good), "--model", str(repository / "small")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["a.npy", "b.npy"]
    for segment in lines[0]["segments"]:
        assert round(segment["start_s"], 3) == segment["start_s"]
        assert round(segment["score"], 4) == segment["score"]


def test_the_list_hides_weak_segments_unless_asked(
    good: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--all` and `--min-score` come first; otherwise the service names the model's own score."""
    words = ["localize", str(good / "a.npy"), "--url", url, "--format", "table"]

    def rows(*more: str) -> int:
        assert main([*words, *more]) == 0
        return len(capsys.readouterr().out.splitlines()) - 2

    assert 0 <= rows("--min-score", "0.15") < rows("--all")
    assert max(rows(), 0) < rows("--all")


def test_options_of_a_model_in_this_process_reach_it(
    good: Path, repository: Path, tmp_path
) -> None:
    """Any field of the localization, and the sampling; a service takes neither."""
    words = ["localize", str(good / "a.npy"), "--out", str(tmp_path / "a.json")]
    model = ["--model", str(repository / "small")]
    counts = []
    for options in ([], ["--nms", "none"], ["--sampling", "resampled"]):
        assert main([*words, *model, *options]) == 0
        counts.append(len(read_detections(tmp_path / "a.json")["a"]))
    assert len(set(counts)) == 3
    assert main([*words, "--nms", "none"]) == 2


def test_durations_come_from_annotations(good: Path, repository: Path, tmp_path: Path) -> None:
    """By the id of each video, unless an option says otherwise."""
    database = {"a": {"subset": "test", "duration": 100.0, "annotations": []}}
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps({"database": database}))
    out = tmp_path / "out"
    words = ["localize", str(good), "--model", str(repository / "small"), "--out", str(out)]
    assert main([*words, "--annotations", str(annotations)]) == 0
    durations_s = [json.loads(path.read_text())["duration_s"] for path in sorted(out.rglob("*"))
                   if path.is_file()]  # fmt: skip
    assert durations_s[0] == 100.0
    assert durations_s[1] != 100.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--duration-s", "5"], "--duration-s is for one input"),
        (["--out", "x.vtt"], ".vtt holds one video, not 2"),
        (["--out", "x.txt"], "unknown format .txt"),
        (["--nms", "soft"], "a service cannot change nms"),
    ],
)
def test_contradictions_are_wrong_usage(
    good: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is sent or written."""
    assert main(["localize", str(good), "--url", "http://127.0.0.1:1", *options]) == 2
    assert message in capsys.readouterr().err


def test_inputs_that_are_none_are_named(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty folder, a path without a file, and a model folder without a model."""
    assert main(["localize", str(tmp_path), "--url", "http://127.0.0.1:1"]) == 1
    assert "contains no .npy file and no video" in capsys.readouterr().err
    small = ["--model", str(repository / "small")]
    assert main(["localize", str(tmp_path / "absent.mp4"), *small]) == 1
    assert "absent.mp4" in capsys.readouterr().err
    assert main(["localize", "a.npy", "--model", str(tmp_path / "nothing")]) == 1
    assert "nothing does not exist" in capsys.readouterr().err


def test_videos_and_features_mix(
    videos_model: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder may hold both."""
    (tmp_path / "film.mp4").write_bytes(video.read_bytes())
    dim = Localizer.open(videos_model).spec.feature_dim
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).random((30, dim), np.float32))
    assert main(["localize", str(tmp_path), "--model", str(videos_model), "--format", "table"]) == 0
    output = capsys.readouterr().out
    assert "film.mp4: " in output
    assert "rows.npy: " in output

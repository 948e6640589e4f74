"""Result files: what is read, and what is refused."""

import json
from pathlib import Path

import pytest

from model.errors import DataError
from model.segments import Segment
from training.datasets.result_file import read_detections, write_detections

FOUND = {"label": "Run", "score": "0.5", "segment": ["1", 2.5]}


def read(folder: Path, results: object) -> dict[str, list[Segment]]:
    """Returns the segments of a file with such results."""
    path = folder / "predictions.json"
    path.write_text(json.dumps({"results": results}))
    return read_detections(path)


def test_a_result_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Videos without segments are in it."""
    segments = {"a": [Segment(0.1, 2.5, "Größe", 0.5), Segment(1, 2, "Run", -0.25)], "b": []}
    write_detections(tmp_path / "predictions.json", segments, version="1")
    assert read_detections(tmp_path / "predictions.json") == segments


def test_numbers_may_be_quoted_and_labels_may_be_numbers(tmp_path: Path) -> None:
    """White space around a label does not count, as in annotations."""
    found = read(tmp_path, {"a": [FOUND, FOUND | {"label": " Run "}, FOUND | {"label": 3}]})
    assert found == {"a": [Segment(1, 2.5, label, 0.5) for label in ("Run", "Run", "3")]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": None}, "video 'a': expected one label, got None"),
        ({"label": ["Run", "Jump"]}, "video 'a': expected one label, got"),
        ({"label": True}, "expected a label as text, got True"),
        ({"score": None}, "TypeError: expected a number, got None"),
        ({"score": True}, "TypeError: expected a number, got True"),
        ({"score": "nan"}, "video 'a': expected finite numbers, got score nan"),
        ({"segment": "12"}, r"TypeError: expected \[start, end\], got '12'"),
        ({"segment": [1]}, "IndexError"),
        ({"segment": [1, "inf"]}, "video 'a': expected finite numbers"),
    ],
)
def test_a_segment_that_cannot_be_used_is_refused(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    """The message has the file and the value."""
    with pytest.raises(DataError, match=rf"predictions\.json.*{reason}"):
        read(tmp_path, {"a": [FOUND | change]})


@pytest.mark.parametrize("results", [None, [], {"a": None}, {"a": {}}, {"a": ["Run"]}])
def test_results_of_another_form_are_refused(tmp_path: Path, results: object) -> None:
    """Nor is an empty object read as a video without segments."""
    with pytest.raises(DataError, match=r"predictions\.json is not an ActivityNet result file"):
        read(tmp_path, results)

"""`ecm suggest` on data whose corrections leave the times of three videos open."""

import csv
import io
import json
from pathlib import Path

import pytest

from training.__main__ import main
from training.datasets.video_record import VideoSet


@pytest.fixture
def words(run: Path, simulated: VideoSet, tmp_path: Path) -> list[str]:
    """The command without its own options."""
    tags_alone = {
        video.id: {"subset": "training", "annotations": [{"label": one} for one in video.labels]}
        for video in simulated.subset("training").videos[:3]
    }
    corrections = tmp_path / "corrections.json"
    corrections.write_text(json.dumps({"database": tags_alone}))
    data = str(Path(simulated.source).parent)
    return ["suggest", str(run), "--data", data, "--corrections", str(corrections)]


def test_the_list_has_the_most_uncertain_videos_first(
    words: list[str], simulated: VideoSet, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table; the last line counts the videos that could be corrected."""
    assert main([*words, "--count", "2"]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert float(first.split()[1]) >= float(second.split()[1])
    assert {first.split()[0], second.split()[0]} <= set(simulated.ids[:3])
    assert last == "2 of 3 videos whose times are not known"


def test_programs_read_json_and_csv(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Both forms have the same columns."""
    assert main([*words, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main([*words, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["video"] for row in rows] == [one["video"] for one in found]
    assert list(rows[0]) == list(found[0])
    assert len(rows) == 3


def test_a_count_of_nothing_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the status of a wrong option."""
    assert main([*words, "--count", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err

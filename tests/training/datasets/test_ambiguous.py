"""W-TALC's protocol: predictions in undecided times do not count."""

import json
from pathlib import Path

import pytest

from model.errors import DataError
from model.segments import Segment
from training.__main__ import main
from training.datasets.ambiguous import decided, read_ambiguous


def test_intervals_are_read_as_thumos14_spells_them(tmp_path: Path) -> None:
    """One or several spaces, tabs, blank lines, any line end."""
    (tmp_path / "x.txt").write_bytes(b"a  1.0 2.5\r\n\r\nb\t0\t1\na 7 8\n")
    expected = {"a": [(1.0, 2.5), (7.0, 8.0)], "b": [(0.0, 1.0)]}
    assert read_ambiguous(tmp_path / "x.txt", ["a", "b", "c"]) == expected


def test_videos_are_found_by_any_spelling_of_their_id(tmp_path: Path) -> None:
    """Other videos of the file are left out; a file that has none of the videos is refused."""
    (tmp_path / "x.txt").write_text("v_a 1 2\nelse 3 4\n")
    assert read_ambiguous(tmp_path / "x.txt", ["a_rgb", "b"]) == {"a_rgb": [(1.0, 2.0)]}
    with pytest.raises(DataError, match=r"x\.txt has none of 2 videos, for instance 'v_a'.*'b'"):
        read_ambiguous(tmp_path / "x.txt", ["c", "b"])
    (tmp_path / "x.txt").write_text("")
    assert read_ambiguous(tmp_path / "x.txt", ["a"]) == {}


@pytest.mark.parametrize("line", ["a 1", "a 1 x", "a 3 2", "a nan 2", "a 1 inf", "a b 1 2"])
def test_other_lines_are_named(line: str, tmp_path: Path) -> None:
    """By their number."""
    (tmp_path / "x.txt").write_text(f"a 0 1\n{line}\n")
    with pytest.raises(DataError, match=r"x\.txt, line 2: expected ID START END"):
        read_ambiguous(tmp_path / "x.txt", ["a"])
    with pytest.raises(DataError, match=r"none\.txt cannot be read"):
        read_ambiguous(tmp_path / "none.txt", ["a"])


def test_segments_that_overlap_are_left_out() -> None:
    """Those that only touch an interval stay; the class does not matter."""
    segments = [Segment(s, e, "Jump") for s, e in ((0, 1), (0.9, 1.1), (1.2, 1.4), (2, 3), (0, 9))]
    assert decided(segments, [(1.0, 2.0)]) == (segments[0], segments[3])
    assert decided(segments, ()) == tuple(segments)


def test_score_leaves_them_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A false prediction in undecided times costs precision without the option only."""
    entry = {"subset": "test", "annotations": [{"label": "Jump", "segment": [0, 1]}]}
    starts = {5: 0.9, 8: 0.8, 0: 0.1}
    found = [{"label": "Jump", "score": score, "segment": [start, start + 1]}
             for start, score in starts.items()]  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps({"database": {"v": entry}}))
    (tmp_path / "found.json").write_text(json.dumps({"results": {"v": found}}))
    (tmp_path / "ambiguous.txt").write_text("v 4 9\n")
    command = ["score", str(tmp_path / "truth.json"), str(tmp_path / "found.json"), "--json"]
    averages = []
    for more in ([], ["--ambiguous", str(tmp_path / "ambiguous.txt")]):
        assert main([*command, *more]) == 0
        averages.append(json.loads(capsys.readouterr().out)["average"])
    assert averages == pytest.approx([1 / 3, 1])

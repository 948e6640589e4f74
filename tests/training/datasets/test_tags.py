from pathlib import Path

import pytest

from model.errors import DataError
from training.datasets.tags import read_tags


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "tags.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_rows_of_a_video_are_its_labels(tmp_path: Path, encoding: str, line_end: str) -> None:
    """In any spreadsheet's dialect; an empty label is no label; suffixes of videos are dropped."""
    lines = [
        "video,label",
        "b.mp4,Run",
        'a.b.mkv,"Jump, high"',
        "b.MP4, Jump",
        "c,",
        "sub/d.avi,Dîner",
    ]
    videos = read_tags(write(tmp_path, line_end.join(lines), encoding))
    assert [(video.id, video.labels, video.subset) for video in videos] == [
        ("b", ("Jump", "Run"), "training"),
        ("a.b", ("Jump, high",), "training"),
        ("c", (), "training"),
        ("sub/d", ("Dîner",), "training"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_header_and_separator_are_recognised(tmp_path: Path, separator: str) -> None:
    """Any case, white space and empty rows; European spreadsheets separate by semicolons."""
    lines = [("Video", "Label ", "SUBSET"), ("a.mp4", "Fight, indoors", "Test"), ("", "", "")]
    text = "\n".join(separator.join(f'"{cell}"' for cell in line) for line in lines)
    (video,) = read_tags(write(tmp_path, text))
    assert (video.id, video.labels, video.subset) == ("a", ("Fight, indoors",), "test")


def test_subset_can_be_given(tmp_path: Path) -> None:
    """Under the names of other data sets, too; further columns are ignored."""
    videos = read_tags(
        write(tmp_path, "who,subset,label,video\nI,val,Run,a\nI,,Run,b\nI,test,,c\n")
    )
    assert [video.subset for video in videos] == ["validation", "training", "test"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing"),
        ("video,label\n", "expected the columns"),
        ("clip,action\na,Run\n", "found clip, action"),
        ("video,label\n,Run\n", "line 2.*name of a video"),
        ("video,label\n../a.mp4,Run\n", "line 2.*name of a video"),
        ("video,label\n/a.mp4,Run\n", "line 2.*name of a video"),
        ("video,label\na,Fight, Crowd\n", "line 2: expected 2 cells, got 3.*needs quotes"),
        ("video,label\na\n", "line 2: expected video and label, got a"),
        ("video,label,label\na,Run,Jump\n", "found video, label, label"),
        ('video,label\na,"Run\n', "not a readable CSV file"),
        ("v\0i\0d\0", "is not text"),
        ("video,label,subset\na,Run,training\na,Run,test\n", "line 3.*'training' above"),
    ],
)
def test_unusable_rows_are_named(tmp_path: Path, text: str, message: str) -> None:
    """The message has the line number."""
    with pytest.raises(DataError, match=message):
        read_tags(write(tmp_path, text))


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A missing file, a folder, a file that is no text, and one that is cut within a character."""
    cut = tmp_path / "cut.csv"
    cut.write_bytes("video,label".encode("utf-16")[:-1])
    for path in (tmp_path / "none.csv", tmp_path, write(tmp_path, "vidéo", "latin-1"), cut):
        with pytest.raises(DataError, match=str(path)):
            read_tags(path)

"""Tags in a CSV file, which any spreadsheet writes.

    video,label,subset
    clip_1.mp4,Jump,training
    clip_1.mp4,Run,training
    clip_2.mp4,,training

A video has a row for each of its labels; an empty label says that it shows none of them. `subset`
may be left out: all videos are then there to learn from.
"""

import csv
from pathlib import Path, PurePosixPath

from features.extraction import SUFFIXES
from model.errors import DataError
from training.datasets.annotations import SUBSETS, Annotation

COLUMNS = {"video", "label"}
"""These have to be there, in any order; others than `subset` are not looked at."""


def read_tags(path: Path) -> list[Annotation]:
    """Returns the videos of a CSV file, in their order, by their names without ending.

    Raises:
        DataError: it cannot be read, or a row is not as expected; the message names it.
    """
    labels: dict[str, set[str]] = {}
    subsets: dict[str, str] = {}
    for number, row in _rows(path):
        id_, subset = _id(row["video"], f"{path}, line {number}"), _subset(row)
        if subsets.setdefault(id_, subset) != subset:
            raise DataError(f"{path}, line {number}: {id_!r} was in subset {subsets[id_]!r} above")
        labels.setdefault(id_, set()).update(filter(None, [(row["label"] or "").strip()]))
    return [
        Annotation(id_, subsets[id_], None, tuple(sorted(of)), ()) for id_, of in labels.items()
    ]


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Returns the rows by the names of their columns, each with its line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = reader.fieldnames or ()
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise DataError(f"no file of tags {path}") from None
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} is not a readable CSV file: {error}") from error
    missing = COLUMNS - set(columns)
    if missing or not rows:
        there = ", ".join(columns) or "nothing"
        raise DataError(f"{path}: expected rows below the columns video,label; found {there}")
    return rows


def _id(name: str | None, where: str) -> str:
    """Returns a video's name without the ending of a video file."""
    video = PurePosixPath((name or "").strip())
    if not video.name or video.is_absolute() or ".." in video.parts:
        raise DataError(f"{where}: expected the name of a video file, not {name!r}")
    return str(video.with_suffix("") if video.suffix.lower() in SUFFIXES else video)


def _subset(row: dict[str, str]) -> str:
    name = (row.get("subset") or "").strip() or "training"
    return SUBSETS.get(name, name)

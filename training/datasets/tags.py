"""Tags in a CSV file, as any spreadsheet program writes it.

    video,label,subset
    clip_1.mp4,Jump,training
    clip_1.mp4,Run,training
    clip_2.mp4,,training

A video has one row for each of its labels. A row with an empty label declares a video that shows no
class. Without the column `subset`, all videos are training videos.
"""

import csv
from pathlib import Path, PurePosixPath

from features.extraction import SUFFIXES
from model.errors import DataError
from training.datasets.annotations import SUBSETS, Annotation

COLUMNS = {"video", "label"}
"""Required columns, in any order. Other columns than `subset` are ignored."""


def read_tags(path: Path) -> list[Annotation]:
    """Returns the videos of a CSV file in their order. A video's id is its name without suffix.

    Raises:
        DataError: The file cannot be read, or a row is not valid; the message names the row.
    """
    labels: dict[str, set[str]] = {}
    subsets: dict[str, str] = {}
    for number, row in _rows(path):
        id_, subset = _id(row["video"], f"{path}, line {number}"), _subset(row)
        if subsets.setdefault(id_, subset) != subset:
            raise DataError(f"{path}, line {number}: {id_!r} is in subset {subsets[id_]!r} above")
        labels.setdefault(id_, set()).update(filter(None, [(row["label"] or "").strip()]))
    return [
        Annotation(id_, subsets[id_], None, tuple(sorted(own)), ()) for id_, own in labels.items()
    ]


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Returns each row by column names, with its line number."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = reader.fieldnames or ()
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise DataError(f"no tag file {path}") from None
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} is not a readable CSV file: {error}") from error
    missing = COLUMNS - set(columns)
    if missing or not rows:
        header = ", ".join(columns) or "nothing"
        raise DataError(f"{path}: expected the columns video,label and rows; found {header}")
    return rows


def _id(name: str | None, where: str) -> str:
    """Returns a video's name without the suffix of a video file."""
    video = PurePosixPath((name or "").strip())
    if not video.name or video.is_absolute() or ".." in video.parts:
        raise DataError(f"{where}: expected the name of a video file, not {name!r}")
    return str(video.with_suffix("") if video.suffix.lower() in SUFFIXES else video)


def _subset(row: dict[str, str]) -> str:
    name = (row.get("subset") or "").strip() or "training"
    return SUBSETS.get(name, name)

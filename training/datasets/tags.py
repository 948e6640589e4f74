"""Tags in a CSV file, as any spreadsheet program writes it.

    video,label,subset
    clip_1.mp4,Jump,training
    clip_1.mp4,Run,training
    clip_2.mp4,,training

A video has one row for each of its labels. A row with an empty label declares a video that shows no
class. Without the column `subset`, all videos are training videos. Cells may be separated by
semicolons or tabs, and the file may be in UTF-8, UTF-16 with a byte order mark, or Windows-1252.
"""

import codecs
import csv
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from features.video_ids import without_ending
from model.errors import DataError
from training.datasets.annotations import Annotation, annotation, subset_name

COLUMNS = ("video", "label")
"""Required columns, in any order and case. Other columns than `subset` are ignored."""
GROUP_COLUMNS = ("video", "group")
"""Required columns of a file of groups."""
_SEPARATORS = ",;\t"


def read_tags(path: Path) -> list[Annotation]:
    """Returns the videos of a CSV file in their order. A video's id is its name without suffix.

    Raises:
        DataError: The file cannot be read, or a row is not valid; the message names the row.
    """
    labels: dict[str, list[str]] = {}
    subsets: dict[str, str] = {}
    for number, row in _rows(path, COLUMNS):
        where = f"{path}, line {number}"
        id_, subset = _id(row["video"], where), subset_name(row.get("subset") or "training")
        if subsets.setdefault(id_, subset) != subset:
            raise DataError(f"{where}: {id_!r} is in subset {subsets[id_]!r} above")
        own = labels.setdefault(id_, [])
        if row["label"].strip() and row["label"] not in own:
            own.append(row["label"])
    return [annotation(id_, subsets[id_], None, own) for id_, own in labels.items()]


def read_groups(path: Path) -> dict[str, str]:
    """Returns the group of each video, by id, from a CSV file with the columns video and group.

    Raises:
        DataError: The file cannot be read, or a video has two groups.
    """
    groups: dict[str, str] = {}
    for number, row in _rows(path, GROUP_COLUMNS):
        where = f"{path}, line {number}"
        id_, group = _id(row["video"], where), row["group"].strip()
        if groups.setdefault(id_, group) != group:
            raise DataError(f"{where}: {id_!r} is in group {groups[id_]!r} above")
    return groups


def _rows(path: Path, required: Collection[str]) -> list[tuple[int, dict[str, str]]]:
    """Returns each row by column names in lower case, with its line number."""
    lines = _text(path).splitlines(keepends=True)
    first = lines[0] if lines else ""
    separator = max(_SEPARATORS, key=first.count)
    try:
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
        columns = [name.strip().casefold() for name in next(reader, [])]
        rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise DataError(f"{path} is not a readable CSV file: {error}") from error
    if not set(columns) >= set(required) or len(set(columns)) < len(columns) or not rows:
        header, wanted = ", ".join(columns) or "nothing", ",".join(required)
        raise DataError(f"{path}: expected the columns {wanted} and rows; found {header}")
    return [
        (number, _row(columns, cells, f"{path}, line {number}", required)) for number, cells in rows
    ]


def _row(
    columns: list[str], cells: list[str], where: str, required: Collection[str]
) -> dict[str, str]:
    """Returns the cells by column; a row may leave out the last ones, but not the label."""
    row = dict(zip(columns, cells, strict=False))
    if len(cells) > len(columns):
        raise DataError(
            f"{where}: expected {len(columns)} cells, got {len(cells)}; a label with a comma needs "
            "quotes, and each label of a video a row of its own"
        )
    if not row.keys() >= set(required):
        raise DataError(f"{where}: expected {' and '.join(required)}, got {', '.join(cells)}")
    return row


def _text(path: Path) -> str:
    """Returns the text of a file in the encoding of its byte order mark, UTF-8 or Windows-1252."""
    try:
        content = path.read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16")
        if b"\0" in content:
            raise DataError(f"{path} is not text; expected a CSV file with video,label")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("cp1252")
    except FileNotFoundError:
        raise DataError(f"no tag file {path}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} is not a readable CSV file: {error}") from error


def _id(name: str, where: str) -> str:
    """Returns a video's name without the suffix of a file."""
    video = PurePosixPath(name.strip())
    if not video.name or video.is_absolute() or ".." in video.parts:
        raise DataError(f"{where}: expected the name of a video file, not {name!r}")
    return without_ending(str(video))

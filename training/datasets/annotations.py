"""Annotations in ActivityNet's JSON format, which most layouts use.

    {"database": {ID: {"subset": "training", "duration": 61.4,
                       "annotations": [{"label": "Jump", "segment": [3.1, 5.0]}]}}}

`segment` may be absent; the label then applies to the whole video. A label with entries of both
kinds has other times than the annotated ones. Numbers may be quoted.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.segments import Segment
from training.datasets.json_values import number, times
from training.datasets.labels import read_labels, text, without_repeats

_SUBSETS = {"train": "training", "val": "validation"}
"""Names of subsets in other layouts, in lower case, and the names used here."""
_KNOWN_SUBSETS = {"training", "validation", "test", "testing"}
_ACTIONS = "annotations"
_LOOKALIKES = ("annotation", "label", "labels", "actions", "segments")
"""Keys of other formats in place of `annotations`."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """Annotation of one video."""

    id: str
    """Name of the video."""
    subset: str
    """`training`, `validation`, `test` or another."""
    duration_s: float | None
    """Length of the video; None where the file has none."""
    labels: tuple[str, ...]
    """Actions that the video shows, sorted."""
    instances: tuple[Segment, ...]
    """Annotated times of the actions; empty where the file has none."""
    untimed: tuple[str, ...] = ()
    """Labels with an entry that has no segment, sorted: some or all of their times are unknown."""
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """Peculiarities of the entry, for instance white space around a label."""
    is_readable: bool = True
    """False if a label is empty or under an unknown key, so what the video shows is unknown."""


def annotation(
    id_: str,
    subset: str,
    duration_s: float | None,
    labels: Sequence[Any],
    timed: Sequence[tuple[float, float, Any]] = (),
    untimed: Sequence[Any] = (),
) -> Annotation:
    """Returns the annotation of a video from the values of a file.

    Args:
        id_: Name of the video.
        subset: Subset as the file spells it.
        duration_s: Length of the video; None if unknown.
        labels: Labels of the video, as the file spells them.
        timed: Start, end and label of each instance.
        untimed: Those of the labels whose times are not all among `timed`.

    Raises:
        DataError: A value cannot be used.
    """
    if duration_s is not None and not (duration_s > 0 and math.isfinite(duration_s)):
        raise DataError(f"video {id_!r}: duration must be above 0, not {duration_s}")
    with _named(id_):
        read = [read_labels(value) for value in labels]
    instances = [
        Segment(start_s, end_s, label)
        for start_s, end_s, value in timed
        for label in read_labels(value)[0]
    ]
    if not all(math.isfinite(one.start_s) and math.isfinite(one.end_s) for one in instances):
        raise DataError(f"video {id_!r}: expected finite times of segments")
    distinct, repeats = without_repeats(instances)
    slips = dict.fromkeys(remark for _, own in read for remark in own)
    return Annotation(
        id=id_,
        subset=subset_name(subset),
        duration_s=duration_s,
        labels=tuple(sorted({label for own, _ in read for label in own})),
        instances=distinct,
        untimed=tuple(sorted({label for value in untimed for label in read_labels(value)[0]})),
        remarks=tuple(f"video {id_!r}: {remark}" for remark in (*slips, *repeats)),
        is_readable=all(own for own, _ in read),
    )


@contextmanager
def _named(id_: str) -> Iterator[None]:
    """Adds the id of a video to an error."""
    try:
        yield
    except DataError as error:
        raise DataError(f"video {id_!r}: {error}") from error


def subset_name(name: str) -> str:
    """Returns the name of a subset as it is used here, whatever its case.

    Example: `Train`, `train` and `Training` give `training`; other names stay as they are.
    """
    folded = name.strip().casefold()
    known = _SUBSETS.get(folded, folded)
    return known if known in _KNOWN_SUBSETS else name.strip()


def read_annotations(path: Path) -> list[Annotation]:
    """Returns the annotations of all videos in a file.

    Raises:
        DataError: The file cannot be read, or an entry is not valid; the message names the entry.
    """
    annotations = []
    for id_, entry in read_database(path).items():
        try:
            annotations.append(_annotation(id_, entry))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DataError(
                f"{path}: video {id_!r}: expected subset, duration in seconds and annotations "
                f"with label and, where known, segment [start, end]; "
                f"{type(error).__name__}: {error}"
            ) from error
    return annotations


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file in UTF-8, with or without a byte order mark, or UTF-16.

    Raises:
        DataError: The file is absent or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"no annotation file {path}") from None
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(f"{path} is not readable JSON: {error}") from error


def read_database(path: Path) -> Mapping[str, Any]:
    """Returns the `database` of an ActivityNet JSON file.

    Raises:
        DataError: The file is absent, is not JSON, or has no database.
    """
    content = read_json(path)
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict):
        raise DataError(f'{path}: expected {{"database": {{ID: ...}}}} as in ActivityNet')
    return database


def _annotation(id_: str, entry: Any) -> Annotation:
    if Path(id_).name != id_:
        raise DataError(f"video id {id_!r} is not a plain file name")
    duration_s = number(entry["duration"]) if "duration" in entry else None
    actions = entry.get(_ACTIONS, [])
    if not isinstance(actions, list):
        raise TypeError(f"expected a list of annotations, got {actions!r}")
    timed = [
        (*times(action["segment"]), action["label"]) for action in actions if action.get("segment")
    ]
    labels = [action["label"] for action in actions]
    untimed = [action["label"] for action in actions if not action.get("segment")]
    with _named(id_):
        subset = text(entry["subset"], name="subset")
    read = annotation(id_, subset, duration_s, labels, timed, untimed)
    read = replace(read, remarks=(*read.remarks, *_contradictions(entry, read)))
    other = [key for key in entry if str(key).casefold() in _LOOKALIKES]
    if _ACTIONS in entry or not other:
        return read
    remark = f"video {id_!r}: expected the key {_ACTIONS!r}, got {other[0]!r}"
    return Annotation(id_, read.subset, duration_s, (), (), remarks=(remark,), is_readable=False)


def _contradictions(entry: Any, read: Annotation) -> list[str]:
    """Returns a remark on `tags`, which the page writes, if they differ from the annotations."""
    if not isinstance(entry.get("tags"), list):
        return []
    tags = {label for value in entry["tags"] for label in read_labels(value)[0]}
    if tags == set(read.labels):
        return []
    return [
        f"video {read.id!r}: the tags {sorted(tags)} differ from the labels of its annotations, "
        f"{list(read.labels)}, which count"
    ]


def all_labels(annotations: Sequence[Annotation]) -> list[str]:
    """Returns every label, sorted."""
    return sorted({label for annotation in annotations for label in annotation.labels})

"""Annotations in ActivityNet's JSON format, which most layouts use.

    {"database": {ID: {"subset": "training", "duration": 61.4,
                       "annotations": [{"label": "Jump", "segment": [3.1, 5.0]}]}}}

`segment` may be absent; the label then applies to the whole video. Numbers may be quoted.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.segments import Segment
from training.datasets.feature_files import FeatureSource
from training.datasets.video_record import VideoRecord, VideoSet

_log = logging.getLogger(__name__)

SUBSETS = {"train": "training", "val": "validation"}
"""Names of subsets in other layouts, and the names used here."""


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

    def record(self, source: FeatureSource, duration_s: float | None = None) -> VideoRecord:
        """Returns the video with its features.

        Args:
            source: Location of the features.
            duration_s: Length of the video; the annotated one if not given.

        Raises:
            DataError: The length is neither given nor annotated.
        """
        known_s = duration_s or self.duration_s
        if known_s is None:
            raise DataError(f"video {self.id!r}: expected a duration in seconds")
        return VideoRecord(self.id, self.subset, known_s, self.labels, self.instances, source)


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


def read_database(path: Path) -> Mapping[str, Any]:
    """Returns the `database` of an ActivityNet JSON file.

    Raises:
        DataError: The file is absent, is not JSON, or has no database.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(f"no annotation file {path}") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is not readable JSON: {error}") from error
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict):
        raise DataError(f'{path}: expected {{"database": {{ID: ...}}}} as in ActivityNet')
    return database


def _annotation(id_: str, entry: Any) -> Annotation:
    if Path(id_).name != id_:
        raise DataError(f"video id {id_!r} is not a plain file name")
    duration_s = float(entry["duration"]) if "duration" in entry else None
    if duration_s is not None and not duration_s > 0:
        raise DataError(f"video {id_!r}: duration must be above 0, not {duration_s}")
    actions = entry.get("annotations", [])
    instances = tuple(
        Segment(float(action["segment"][0]), float(action["segment"][1]), str(action["label"]))
        for action in actions
        if action.get("segment")
    )
    labels = tuple(sorted({str(action["label"]) for action in actions}))
    subset = str(entry["subset"])
    return Annotation(id_, SUBSETS.get(subset, subset), duration_s, labels, instances)


def video_set(
    videos: Sequence[VideoRecord],
    missing: Sequence[str],
    classes: Sequence[str],
    *,
    source: Path,
    expected: str,
) -> VideoSet:
    """Returns the videos that have features, and warns of those that have none.

    Args:
        videos: Videos with features.
        missing: Names of the videos without features.
        classes: All labels, including those of missing videos. The network's output therefore does
            not depend on the files that are there.
        source: Path that the videos were read from.
        expected: Files that contain the features, for the error message.

    Raises:
        DataError: No video has features, or there is no label.
    """
    total = len(videos) + len(missing)
    if not videos:
        example = f", for instance of {missing[0]!r}" if missing else ""
        raise DataError(
            f"{source}: none of {total} videos has features; expected {expected}{example}"
        )
    if missing:
        names = ", ".join(missing[:5]) + ", ..." * (len(missing) > 5)
        count = f"{len(missing)} of {total}"
        _log.warning("%s videos of %s have no features and are left out: %s", count, source, names)
    if not classes:
        raise DataError(f"{source}: no video has a label")
    return VideoSet(tuple(videos), tuple(classes), source=str(source))


def all_labels(annotations: Sequence[Annotation]) -> list[str]:
    """Returns every label, sorted."""
    return sorted({label for annotation in annotations for label in annotation.labels})

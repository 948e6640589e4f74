"""Annotations in ActivityNet's JSON format, which most layouts share.

    {"database": {ID: {"subset": "training", "duration": 61.4,
                       "annotations": [{"label": "Jump", "segment": [3.1, 5.0]}]}}}

`segment` may be absent: the label then counts for the whole video. Numbers may be quoted.
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
"""Other names of subsets, as some layouts have them, and ours."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is known of one video besides its features."""

    id: str
    """Its name."""
    subset: str
    """`training`, `validation`, `test` or another."""
    duration_s: float | None
    """Its length; None where the file does not say."""
    labels: tuple[str, ...]
    """The actions that it shows, sorted."""
    instances: tuple[Segment, ...]
    """Where they happen, as far as it is known."""

    def record(self, source: FeatureSource, duration_s: float | None = None) -> VideoRecord:
        """Returns the video with its features; its length as annotated if not given.

        Raises:
            DataError: its length is not known.
        """
        known_s = duration_s or self.duration_s
        if known_s is None:
            raise DataError(f"video {self.id!r}: expected duration, in seconds")
        return VideoRecord(self.id, self.subset, known_s, self.labels, self.instances, source)


def read_annotations(path: Path) -> list[Annotation]:
    """Returns all videos of a file.

    Raises:
        DataError: it cannot be read, or an entry is not as expected; the message names it.
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
        DataError: the file is absent, not JSON, or has no database.
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
    marks = entry.get("annotations", [])
    instances = tuple(
        Segment(float(mark["segment"][0]), float(mark["segment"][1]), str(mark["label"]))
        for mark in marks
        if mark.get("segment")
    )
    labels = tuple(sorted({str(mark["label"]) for mark in marks}))
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
    """Returns the videos whose features are there, warning of those whose are not.

    Args:
        videos: with features.
        missing: names of the videos without.
        classes: all labels, those of missing videos included, so that what a network puts out
            does not depend on which files are there.
        source: where they were read from.
        expected: what would have been the features of a video, for the message.

    Raises:
        DataError: no video has features, or there is no label.
    """
    total = len(videos) + len(missing)
    if not videos:
        named = f", for instance of {missing[0]!r}" if missing else ""
        raise DataError(
            f"{source}: none of {total} videos has features; expected {expected}{named}"
        )
    if missing:
        named = ", ".join(missing[:5]) + ", ..." * (len(missing) > 5)
        count = f"{len(missing)} of {total}"
        _log.warning("%s videos of %s have no features and are left out: %s", count, source, named)
    if not classes:
        raise DataError(f"{source}: there is no label")
    return VideoSet(tuple(videos), tuple(classes), source=str(source))


def all_labels(annotations: Sequence[Annotation]) -> list[str]:
    """Returns every label, sorted."""
    return sorted({label for annotation in annotations for label in annotation.labels})

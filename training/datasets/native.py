"""The native layout: a folder of ID.npy files and annotations in ActivityNet's JSON format.

    {"database": {ID: {"subset": "training", "duration": 61.4,
                       "annotations": [{"label": "Jump", "segment": [3.1, 5.0]}]}}}

`segment` may be absent: the label then counts for the whole video, which is all that training
needs. Numbers may be quoted.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.segments import Segment
from training.datasets.video_record import VideoRecord, VideoSet

_log = logging.getLogger(__name__)


def read_native(annotations: Path, features: Path) -> VideoSet:
    """Returns the videos that the annotations name and whose features are there.

    Videos without a feature file are left out with a warning.

    Raises:
        DataError: the annotations cannot be read, or no video has features.
    """
    if not features.is_dir():
        raise DataError(f"no feature folder {features}; expected a folder of ID.npy files")
    database = read_database(annotations)
    records = [
        _record(id_, entry, features / f"{id_}.npy", annotations) for id_, entry in database.items()
    ]
    videos = tuple(record for record in records if record.features_path.is_file())
    missing = [record.id for record in records if not record.features_path.is_file()]
    if not videos:
        raise DataError(
            f"{features} holds no ID.npy of the {len(records)} videos in {annotations}; "
            f"expected for instance {records[0].features_path.name if records else 'one video'}"
        )
    if missing:
        named = ", ".join(missing[:5]) + ", ..." * (len(missing) > 5)
        count = f"{len(missing)} of {len(records)}"
        _log.warning(
            "%s videos have no features in %s and are left out: %s", count, features, named
        )
    classes = sorted({label for record in records for label in record.labels})
    if not classes:
        raise DataError(f"{annotations} holds no label")
    return VideoSet(videos, tuple(classes), source=str(annotations))


def read_database(annotations: Path) -> Mapping[str, Any]:
    """Returns the `database` of an ActivityNet JSON file.

    Raises:
        DataError: the file is absent, not JSON, or has no database.
    """
    try:
        content = json.loads(annotations.read_text())
    except FileNotFoundError:
        raise DataError(f"no annotation file {annotations}") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{annotations} is not readable JSON: {error}") from error
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict):
        raise DataError(f'{annotations}: expected {{"database": {{ID: ...}}}} as in ActivityNet')
    return database


def read_instances(entry: Any) -> tuple[tuple[str, ...], tuple[Segment, ...]]:
    """Returns the sorted labels and the timed instances of one video's entry."""
    annotations = entry.get("annotations", [])
    labels = sorted({str(annotation["label"]) for annotation in annotations})
    instances = tuple(
        Segment(
            start_s=float(annotation["segment"][0]),
            end_s=float(annotation["segment"][1]),
            label=str(annotation["label"]),
        )
        for annotation in annotations
        if annotation.get("segment")
    )
    return tuple(labels), instances


def _record(id_: str, entry: Any, features_path: Path, annotations: Path) -> VideoRecord:
    try:
        labels, instances = read_instances(entry)
        duration_s = float(entry["duration"])
        subset = str(entry["subset"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(
            f"{annotations}: video {id_!r}: expected subset, duration in seconds and annotations "
            f"with label and, where known, segment [start, end]; {type(error).__name__}: {error}"
        ) from error
    if not duration_s > 0:
        raise DataError(f"{annotations}: video {id_!r}: duration must be above 0, not {duration_s}")
    if Path(id_).name != id_:
        raise DataError(f"{annotations}: video id {id_!r} is not a plain file name")
    return VideoRecord(id_, subset, duration_s, labels, instances, features_path)

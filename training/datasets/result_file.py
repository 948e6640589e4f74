"""Result files: the segments that a model found, in ActivityNet's JSON format.

{"version": ..., "results": {ID: [{"label", "score", "segment": [start, end]}]},
 "external_data": {}}
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.segments import Segment
from model.whole_file import whole_file
from training.datasets.json_values import number, times
from training.datasets.labels import read_labels


def write_detections(
    path: Path, segments_by_video: Mapping[str, Sequence[Segment]], *, version: str
) -> None:
    """Writes a result file. `path` contains the old or the new file, never a part of one."""
    results = {
        id_: [
            {"label": s.label, "score": s.score, "segment": [s.start_s, s.end_s]} for s in segments
        ]
        for id_, segments in segments_by_video.items()
    }
    write_json(path, {"version": version, "results": results, "external_data": {}})


def read_detections(path: Path) -> dict[str, list[Segment]]:
    """Returns the segments of each video in a result file. Numbers may be quoted.

    Raises:
        DataError: The file is absent or is not in this format, or a number is not finite.
    """
    try:
        results = json.loads(path.read_bytes())["results"]
        return {id_: _segments(entries, id_) for id_, entries in results.items()}
    except FileNotFoundError:
        raise DataError(f"no result file {path}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (
        OSError,
        RecursionError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
    ) as error:
        raise DataError(
            f"{path} is not an ActivityNet result file, "
            '{"results": {ID: [{"label", "score", "segment": [start, end]}]}}; '
            f"{type(error).__name__}: {error}"
        ) from error


def _segments(entries: Any, id_: str) -> list[Segment]:
    if not isinstance(entries, list):
        raise TypeError(f"expected a list of segments, got {entries!r}")
    return [_segment(entry, id_) for entry in entries]


def _segment(entry: Any, id_: str) -> Segment:
    start_s, end_s = times(entry["segment"])
    score = number(entry["score"])
    if not all(map(math.isfinite, (start_s, end_s, score))):
        raise DataError(
            f"video {id_!r}: expected finite numbers, got score {score} of [{start_s}, {end_s}]"
        )
    labels, _ = read_labels(entry["label"])
    if len(labels) != 1:
        raise DataError(f"video {id_!r}: expected one label, got {entry['label']!r}")
    return Segment(start_s, end_s, labels[0], score)


def write_json(path: Path, content: object) -> None:
    """Writes JSON. `path` contains the old or the new content, never a part of it."""
    with whole_file(path) as file:
        file.write(json.dumps(content).encode())

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


_NOT_A_RESULT = (
    OSError, RecursionError, ValueError, KeyError, TypeError, IndexError, AttributeError,
)  # fmt: skip


def read_detections(path: Path) -> dict[str, list[Segment]]:
    """Returns the segments of each video in a result file. Numbers may be quoted.

    Raises:
        DataError: The file is absent or is not in this format, or a number is not finite.
    """
    try:
        results = json.loads(path.read_bytes())["results"]
        return {
            id_: [_segment(entry, id_) for entry in entries] for id_, entries in results.items()
        }
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


def _segment(entry: Any, id_: str) -> Segment:
    start_s, end_s = map(float, entry["segment"][:2])
    score = float(entry["score"])
    if not all(map(math.isfinite, (start_s, end_s, score))):
        raise DataError(
            f"video {id_!r}: expected finite numbers, got score {score} of [{start_s}, {end_s}]"
        )
    return Segment(start_s, end_s, str(entry["label"]), score)


def write_json(path: Path, content: object) -> None:
    """Writes JSON. `path` contains the old or the new content, never a part of it."""
    with whole_file(path) as file:
        file.write(json.dumps(content).encode())

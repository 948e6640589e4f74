"""Result files of detections in ActivityNet's JSON format.

{"version": ..., "results": {ID: [{"label", "score", "segment": [start, end]}]},
 "external_data": {}}
"""

import json
from pathlib import Path

from model.errors import DataError
from model.segments import Segment
from model.whole_file import whole_file
from training.metrics import Videos


def write_detections(path: Path, videos: Videos, *, version: str) -> None:
    """Writes a result file; `path` never holds half of one."""
    results = {
        id_: [
            {"label": s.label, "score": s.score, "segment": [s.start_s, s.end_s]} for s in segments
        ]
        for id_, segments in videos.items()
    }
    write_json(path, {"version": version, "results": results, "external_data": {}})


def read_detections(path: Path) -> Videos:
    """Returns the segments of a result file. Numbers may be quoted.

    Raises:
        DataError: it is absent or not in this format.
    """
    try:
        results = json.loads(path.read_text())["results"]
        return {
            id_: [
                Segment(
                    float(entry["segment"][0]),
                    float(entry["segment"][1]),
                    str(entry["label"]),
                    float(entry["score"]),
                )
                for entry in entries
            ]
            for id_, entries in results.items()
        }
    except FileNotFoundError:
        raise DataError(f"no result file {path}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path} is not an ActivityNet result file, "
            '{"results": {ID: [{"label", "score", "segment": [start, end]}]}}; '
            f"{type(error).__name__}: {error}"
        ) from error


def write_json(path: Path, content: object) -> None:
    """Writes JSON; `path` holds the old or the new content, never a part."""
    with whole_file(path) as file:
        file.write(json.dumps(content).encode())

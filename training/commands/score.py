"""`ecm score`."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.errors import DataError
from training.commands.options import Flag
from training.datasets.ambiguous import decided, read_ambiguous
from training.datasets.annotations import Annotation, read_annotations, subset_name
from training.datasets.result_file import read_detections
from training.measurement.matching import Matching, match
from training.measurement.metrics import DetectionScore, Videos, detection_score, tiou_range

_log = logging.getLogger(__name__)


def score(
    truth: Path,
    predictions: Path,
    /,
    *,
    subset: str | None = None,
    tiou: str = "0.1:0.7:0.1",
    ambiguous: Path | None = None,
    as_json: Annotated[Flag, Parameter(name="--json")] = False,
) -> None:
    """Prints the ActivityNet metric of a result file.

    Args:
        truth: Annotations in ActivityNet's JSON format.
        predictions: Result file in ActivityNet's JSON format.
        subset: Subset to score; validation if there is one, else test.
        tiou: tIoU thresholds of mAP: 0.5, or 0.3,0.5,0.7, or first:last:step.
        ambiguous: Ambiguous_test.txt of THUMOS14. As in W-TALC's protocol, predictions that overlap
            one of its intervals do not count.
        as_json: Print JSON instead of a table.

    Raises:
        DataError: the annotations have no such subset, a file cannot be read, or no predicted video
            or label is in the annotations.
    """
    videos = {video.id: video for video in read_annotations(truth)}
    instances = _instances(videos, subset, truth)
    segments: Videos = read_detections(predictions)
    matching = match(instances, segments, videos.keys())
    for warning in matching.warnings:
        _log.warning("%s: %s", predictions, warning)
    if ambiguous:
        times = read_ambiguous(ambiguous, instances.keys())
        segments = {id_: decided(own, times.get(id_, ())) for id_, own in segments.items()}
    result = detection_score(instances, segments, tiou_range(tiou))
    print(_json(result, matching) if as_json else _table(result, matching))


def _instances(videos: Mapping[str, Annotation], subset: str | None, truth: Path) -> Videos:
    names = {video.subset for video in videos.values()}
    default = "validation" if "validation" in names else "test"
    name = subset_name(subset) if subset else default
    if name not in names:
        expected = ", ".join(sorted(names)) or "no video at all"
        raise DataError(f"{truth}: no subset {name!r}; expected one of {expected}")
    return {id_: video.instances for id_, video in videos.items() if video.subset == name}


def _json(result: DetectionScore, matching: Matching) -> str:
    return json.dumps(
        {
            "tiou": result.tiou_K,
            "mAP": result.map_K.tolist(),
            "average": result.average,
            "matched": {
                "videos": [matching.videos, matching.true_videos],
                "instances": [matching.instances, matching.true_instances],
                "segments": [matching.segments, matching.predicted_segments],
            },
            "warnings": matching.warnings,
        }
    )


def _table(result: DetectionScore, matching: Matching) -> str:
    lines = [str(matching)]
    lines += [
        f"mAP@{threshold:<8g} {100 * value:6.2f} %"
        for threshold, value in zip(result.tiou_K, result.map_K, strict=True)
    ]
    return "\n".join([*lines, f"average      {100 * result.average:6.2f} %"])

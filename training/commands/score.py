"""`ecm score`."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.errors import DataError
from training.commands.options import Flag
from training.datasets.annotations import SUBSETS, read_annotations
from training.datasets.result_file import read_detections
from training.measurement.metrics import detection_score, tiou_range


def score(
    truth: Path,
    predictions: Path,
    /,
    *,
    subset: str = "validation",
    tiou: str = "0.1:0.7:0.1",
    as_json: Annotated[Flag, Parameter(name="--json")] = False,
) -> None:
    """Prints the ActivityNet metric of a result file.

    Args:
        truth: Annotations in ActivityNet's JSON format.
        predictions: Result file in ActivityNet's JSON format.
        subset: Subset to score.
        tiou: tIoU thresholds of mAP: 0.5, or 0.3,0.5,0.7, or first:last:step.
        as_json: Print JSON instead of a table.

    Raises:
        DataError: the annotations have no such subset, or a file cannot be read.
    """
    videos = read_annotations(truth)
    name = SUBSETS.get(subset, subset)
    instances = {video.id: video.instances for video in videos if video.subset == name}
    if not instances:
        names = ", ".join(sorted({video.subset for video in videos}))
        raise DataError(f"{truth}: no subset {subset!r}; expected one of {names}")
    result = detection_score(instances, read_detections(predictions), tiou_range(tiou))
    if as_json:
        print(json.dumps(
            {"tiou": result.tiou_K, "mAP": result.map_K.tolist(), "average": result.average}
        ))  # fmt: skip
        return
    for threshold, value in zip(result.tiou_K, result.map_K, strict=True):
        print(f"mAP@{threshold:<8g} {100 * value:6.2f} %")
    print(f"average      {100 * result.average:6.2f} %")

"""print the ActivityNet metric of a result file"""

import argparse
import json
from pathlib import Path

from model.errors import DataError
from training.commands.arguments import add_tiou
from training.datasets.annotations import SUBSETS, read_annotations
from training.datasets.result_file import read_detections
from training.metrics import detection_score, tiou_range


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument("truth", type=Path, help="annotations, ActivityNet JSON")
    parser.add_argument("predictions", type=Path, help="result file, ActivityNet JSON")
    parser.add_argument("--subset", default="validation", help="subset to score")
    add_tiou(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    videos = read_annotations(arguments.truth)
    subset = SUBSETS.get(arguments.subset, arguments.subset)
    truth = {video.id: video.instances for video in videos if video.subset == subset}
    if not truth:
        there = sorted({video.subset for video in videos})
        raise DataError(f"{arguments.truth}: no subset {arguments.subset!r}; there are {there}")
    score = detection_score(
        truth, read_detections(arguments.predictions), tiou_range(arguments.tiou)
    )
    if arguments.json:
        figures = {"tiou": score.tiou_K, "mAP": score.map_K.tolist(), "average": score.average}
        print(json.dumps(figures))
        return
    for tiou, value in zip(score.tiou_K, score.map_K, strict=True):
        print(f"mAP@{tiou:<8g} {100 * value:6.2f} %")
    print(f"average      {100 * score.average:6.2f} %")

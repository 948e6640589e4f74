"""The layout of BaS-Net, CoLA and related code for THUMOS14.

gt.json                                    ActivityNet's format, quoted numbers, no durations
split_train.txt, split_test.txt            one video per line
fps_dict.json                              frames per second of each video
features/{train,test}/{rgb,flow}/ID.npy    (T, 1024) each, one row per snippet of 16 frames
"""

import json
from pathlib import Path

from model.arrays import read_features
from model.errors import DataError
from model.snippets import SNIPPET_FRAMES, SnippetClock
from training.datasets.annotations import (
    SUBSETS,
    Annotation,
    all_labels,
    read_annotations,
    video_set,
)
from training.datasets.feature_files import TwoStreamFiles
from training.datasets.video_record import VideoRecord, VideoSet

EXPECTED = (
    "gt.json, split_train.txt, split_test.txt, fps_dict.json and "
    "features/{train,test}/{rgb,flow}/ID.npy"
)
_SPLITS = ("train", "test")


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return (folder / "gt.json").is_file() and (folder / "split_train.txt").is_file()


def read(folder: Path) -> VideoSet:
    """Returns the videos of both splits that have features.

    Raises:
        DataError: A file is absent or is not valid.
    """
    annotations = {annotation.id: annotation for annotation in read_annotations(folder / "gt.json")}
    rates = _read_rates(folder / "fps_dict.json")
    videos, missing = [], []
    for split in _SPLITS:
        for id_ in _read_split(folder / f"split_{split}.txt"):
            rgb, flow = (folder / "features" / split / s / f"{id_}.npy" for s in ("rgb", "flow"))
            if not (rgb.is_file() and flow.is_file()):
                missing.append(id_)
                continue
            fps = rates.get(id_)
            if fps is None or id_ not in annotations:
                raise DataError(f"{folder}: {id_!r} has no entry in fps_dict.json and gt.json")
            videos.append(_record(annotations[id_], split, TwoStreamFiles(rgb, flow), fps))
    return video_set(
        videos,
        missing,
        all_labels(list(annotations.values())),
        source=folder,
        expected="features/{train,test}/{rgb,flow}/ID.npy",
    )


def _record(annotation: Annotation, split: str, source: TwoStreamFiles, fps: float) -> VideoRecord:
    clock = SnippetClock.from_rate(fps=fps, stride_frames=SNIPPET_FRAMES)
    duration_s = clock.seconds(len(read_features(source.rgb)))
    labels, instances = annotation.labels, annotation.instances
    subset = SUBSETS.get(split, split)
    return VideoRecord(annotation.id, subset, duration_s, labels, instances, source)


def _read_split(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _read_rates(path: Path) -> dict[str, float]:
    try:
        return {str(id_): float(fps) for id_, fps in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: expected a JSON object of frames per second: {error}") from error

"""Writes any data set in the native layout."""

from pathlib import Path

import numpy as np

from model.arrays import check_features
from model.whole_file import whole_file
from training.datasets.native import ANNOTATIONS, FEATURES
from training.datasets.video_record import VideoProgress, VideoRecord, VideoSet
from training.detections import write_json


def write_native(videos: VideoSet, folder: Path, *, progress: VideoProgress = iter) -> None:
    """Writes features/ID.npy and annotations.json to a folder.

    Features that an earlier run wrote stay as they are; the annotations come last, so a folder
    that has them is whole.

    Raises:
        FeatureError: a video's features cannot be used.
    """
    features = folder / FEATURES
    features.mkdir(parents=True, exist_ok=True)
    for video in progress(videos.videos):
        path = features / f"{video.id}.npy"
        if not path.exists():
            _write_features(video, path)
    write_json(folder / ANNOTATIONS, {"database": {v.id: _entry(v) for v in videos.videos}})


def _write_features(video: VideoRecord, path: Path) -> None:
    stored = video.features()
    features_TD = check_features(stored)
    if stored.dtype == np.float16:
        features_TD = features_TD.astype(np.float16)
    with whole_file(path) as file:
        np.save(file, features_TD)


def _entry(video: VideoRecord) -> dict[str, object]:
    marks: list[dict[str, object]] = [
        {"label": instance.label, "segment": [instance.start_s, instance.end_s]}
        for instance in video.instances
    ]
    timed = {instance.label for instance in video.instances}
    marks += [{"label": label} for label in video.labels if label not in timed]
    return {"subset": video.subset, "duration": video.duration_s, "annotations": marks}

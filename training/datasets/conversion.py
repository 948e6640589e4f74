"""Conversion of any data set to the native layout."""

from pathlib import Path

import numpy as np

from model.arrays import read_features
from model.errors import FeatureError
from model.whole_file import whole_file
from training.datasets.layouts.native import ANNOTATIONS, FEATURES
from training.datasets.result_file import write_json
from training.datasets.video_record import VideoProgress, VideoRecord, VideoSet


def write_native(videos: VideoSet, folder: Path, *, progress: VideoProgress = iter) -> None:
    """Writes features/ID.npy and annotations.json to a folder.

    Features that an earlier conversion wrote from the same video are kept. The annotations are
    written last, so a folder that has them is complete.

    Raises:
        DataError: A video's features cannot be used.
    """
    features = folder / FEATURES
    features.mkdir(parents=True, exist_ok=True)
    for video in progress(videos.videos):
        path = features / f"{video.id}.npy"
        if not _is_written(video, path):
            _write_features(video, path)
    write_json(folder / ANNOTATIONS, {"database": {v.id: _entry(v) for v in videos.videos}})


def _is_written(video: VideoRecord, path: Path) -> bool:
    """Returns whether a file has the shape, type and first and last snippet of a video."""
    try:
        written_TD = read_features(path)
    except FeatureError:
        return False
    stored_TD = video.features_as_stored()
    dtype = np.dtype(np.float16 if stored_TD.dtype == np.float16 else np.float32)
    if written_TD.shape != stored_TD.shape or written_TD.dtype != dtype:
        return False
    return np.array_equal(written_TD[[0, -1]], stored_TD[[0, -1]].astype(dtype))


def _write_features(video: VideoRecord, path: Path) -> None:
    """Writes a video's features as float16 where they are stored as such, else as float32."""
    is_half = video.features_as_stored().dtype == np.float16
    features_TD = video.features()
    with whole_file(path) as file:
        np.save(file, features_TD.astype(np.float16) if is_half else features_TD)


def _entry(video: VideoRecord) -> dict[str, object]:
    """Returns a video's entry in the annotations."""
    annotations: list[dict[str, object]] = [
        {"label": instance.label, "segment": [instance.start_s, instance.end_s]}
        for instance in video.instances
    ]
    timed = {instance.label for instance in video.instances}
    annotations += [{"label": label} for label in video.labels if label not in timed]
    return {"subset": video.subset, "duration": video.duration_s, "annotations": annotations}

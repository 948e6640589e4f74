"""The native layout: annotations.json in ActivityNet's format and features/ID.npy, (T, D)."""

from pathlib import Path

from model.errors import DataError
from training.datasets.annotations import all_labels, read_annotations, video_set
from training.datasets.feature_files import NpyFile
from training.datasets.video_record import VideoSet

EXPECTED = "annotations.json and features/ID.npy"
ANNOTATIONS, FEATURES = "annotations.json", "features"


def matches(folder: Path) -> bool:
    """Tells whether a folder has this layout."""
    return (folder / ANNOTATIONS).is_file() and (folder / FEATURES).is_dir()


def read(folder: Path) -> VideoSet:
    """Returns the videos of a folder; see `read_native`."""
    return read_native(folder / ANNOTATIONS, folder / FEATURES)


def read_native(annotations: Path, features: Path) -> VideoSet:
    """Returns the videos that the annotations name and whose features are there.

    Videos without a feature file are left out with a warning.

    Raises:
        DataError: the annotations cannot be read, or no video has features.
    """
    if not features.is_dir():
        raise DataError(f"no feature folder {features}; expected a folder of ID.npy files")
    named = read_annotations(annotations)
    paths = {annotation.id: features / f"{annotation.id}.npy" for annotation in named}
    return video_set(
        [video.record(NpyFile(paths[video.id])) for video in named if paths[video.id].is_file()],
        [video.id for video in named if not paths[video.id].is_file()],
        all_labels(named),
        source=annotations,
        expected=f"{features}/ID.npy",
    )

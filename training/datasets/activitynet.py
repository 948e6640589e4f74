"""ActivityNet's official JSON, 1.2 or 1.3, with features of the official video names.

activity_net.v1-3.min.json    (any *.json that has a database)
features/ID.npy or features/v_ID.npy, (T, D), in any folder of that name
or one HDF5 file, *.h5 or *.hdf5, with a data set ID, v_ID, or a group of that name with one
"""

from pathlib import Path

from model.errors import DataError
from training.datasets.annotations import all_labels, read_annotations, video_set
from training.datasets.feature_files import FeatureSource, Hdf5Item, NpyFile
from training.datasets.video_record import VideoSet

EXPECTED = "one *.json in ActivityNet's format and features/[v_]ID.npy, or one *.h5 file"


def matches(folder: Path) -> bool:
    """Tells whether a folder has this layout."""
    return len(list(folder.glob("*.json"))) == 1 and (
        (folder / "features").is_dir() or bool(_hdf5_files(folder))
    )


def read(folder: Path) -> VideoSet:
    """Returns the videos that the annotations name and whose features are there.

    Videos of the test subset, whose labels were never published, are left out.

    Raises:
        DataError: the annotations or the HDF5 file cannot be read, or no video has features.
    """
    (path,) = folder.glob("*.json")
    named = [video for video in read_annotations(path) if video.subset != "testing"]
    sources = _hdf5_sources(folder) if _hdf5_files(folder) else _npy_sources(folder / "features")
    found = {video.id: sources.get(video.id) or sources.get(f"v_{video.id}") for video in named}
    videos = [video.record(source) for video in named if (source := found[video.id])]
    missing = [video.id for video in named if not found[video.id]]
    return video_set(videos, missing, all_labels(named), source=path, expected=EXPECTED)


def _hdf5_files(folder: Path) -> list[Path]:
    return [*folder.glob("*.h5"), *folder.glob("*.hdf5")]


def _npy_sources(features: Path) -> dict[str, FeatureSource]:
    return {path.stem: NpyFile(path) for path in features.glob("*.npy")}


def _hdf5_sources(folder: Path) -> dict[str, FeatureSource]:
    import h5py  # only this layout needs it

    files = _hdf5_files(folder)
    if len(files) > 1:
        raise DataError(f"{folder}: expected one HDF5 file, got {[file.name for file in files]}")
    try:
        with h5py.File(files[0], "r") as file:
            return {
                name: Hdf5Item(files[0], f"{name}/{next(iter(item))}" if _is_group(item) else name)
                for name, item in file.items()
            }
    except (OSError, StopIteration) as error:
        raise DataError(f"{files[0]} is not a readable HDF5 file of features: {error}") from error


def _is_group(item: object) -> bool:
    return hasattr(item, "keys")

"""ActivityNet's layout: its official JSON, 1.2 or 1.3, with features under its video names.

activity_net.v1-3.min.json             any *.json with a database
features/ID.npy or features/v_ID.npy   (T, D)
*.h5 or *.hdf5, instead                one file with an array ID or v_ID, or a group of that name
"""

from pathlib import Path

from model.errors import DataError
from training.datasets.annotations import all_labels, read_annotations, video_set
from training.datasets.feature_files import FeatureSource, Hdf5Item, NpyFile
from training.datasets.video_record import VideoSet

EXPECTED = "one *.json in ActivityNet's format and features/[v_]ID.npy, or one *.h5 file"


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return len(list(folder.glob("*.json"))) == 1 and (
        (folder / "features").is_dir() or bool(_hdf5_files(folder))
    )


def read(folder: Path) -> VideoSet:
    """Returns the annotated videos that have features.

    Videos of the test subset are left out because their labels were never published.

    Raises:
        DataError: The annotations or the HDF5 file cannot be read, or no video has features.
    """
    (path,) = folder.glob("*.json")
    annotated = [video for video in read_annotations(path) if video.subset != "testing"]
    sources = _hdf5_sources(folder) if _hdf5_files(folder) else _npy_sources(folder / "features")
    source_of = {
        video.id: sources.get(video.id) or sources.get(f"v_{video.id}") for video in annotated
    }
    videos = [video.record(source) for video in annotated if (source := source_of[video.id])]
    missing = [video.id for video in annotated if not source_of[video.id]]
    return video_set(videos, missing, all_labels(annotated), source=path, expected=EXPECTED)


def _hdf5_files(folder: Path) -> list[Path]:
    return [*folder.glob("*.h5"), *folder.glob("*.hdf5")]


def _npy_sources(features: Path) -> dict[str, FeatureSource]:
    return {path.stem: NpyFile(path) for path in features.glob("*.npy")}


def _hdf5_sources(folder: Path) -> dict[str, FeatureSource]:
    import h5py  # no other layout needs it

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

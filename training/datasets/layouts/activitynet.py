"""ActivityNet's layout: its official JSON, 1.2 or 1.3, with features under its video names.

activity_net.v1-3.min.json             any *.json with a database
features/ID.npy or features/v_ID.npy   (T, D)
*.h5 or *.hdf5, instead                one file with an array ID or v_ID, or a group of that name

A group contains one array at any depth, or an array `rgb` and an array `flow`, which are joined.
The snippets divide the annotated duration evenly, as in the released ECM code.
"""

from pathlib import Path
from typing import Any

from features.video_ids import match_ids
from model.errors import DataError
from training.datasets.annotations import read_annotations
from training.datasets.assembly import assemble
from training.datasets.feature_clock import FeatureRate
from training.datasets.feature_files import FeatureSource, Hdf5Array, NpyFile, Streams
from training.datasets.video_record import VideoSet

EXPECTED = "one *.json in ActivityNet's format and features/[v_]ID.npy, or one *.h5 file"

_STREAMS = ("rgb", "flow")


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return len(list(folder.glob("*.json"))) == 1 and (
        (folder / "features").is_dir() or bool(_hdf5_files(folder))
    )


def read(folder: Path, rate: FeatureRate | None = None) -> VideoSet:
    """Returns the annotated videos that have features.

    Videos of the testing subset are left out because their labels were never published.

    Args:
        folder: Folder of the data set.
        rate: Rate of the features. Without it, the snippets divide the annotated duration evenly.

    Raises:
        DataError: The annotations or the HDF5 file cannot be read, or no video has features.
    """
    (path,) = folder.glob("*.json")
    annotated = [video for video in read_annotations(path) if video.subset != "testing"]
    files = _hdf5_sources(folder) if _hdf5_files(folder) else _npy_sources(folder / "features")
    name_of = match_ids([video.id for video in annotated], files)
    return assemble(
        annotated,
        {id_: files[name] for id_, name in name_of.items()},
        source=path,
        expected=EXPECTED,
        snippet_s=rate.snippet_s if rate else None,
        unnamed=sorted(files.keys() - set(name_of.values())),
    )


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
            return {name: _streams(files[0], name, item) for name, item in file.items()}
    except OSError as error:
        raise DataError(f"{files[0]} is not a readable HDF5 file of features: {error}") from error


def _streams(file: Path, name: str, item: Any) -> FeatureSource:
    """Returns the array of a video, or its two streams side by side."""
    keys = [name] if not _is_group(item) else [f"{name}/{key}" for key in _arrays(item)]
    if len(keys) == 1:
        return Hdf5Array(file, keys[0])
    key_of = {key.rpartition("/")[2].lower(): key for key in keys}
    if len(keys) == 2 and set(key_of) == set(_STREAMS):
        return Streams(tuple(Hdf5Array(file, key_of[stream]) for stream in _STREAMS))
    raise DataError(
        f"{file}: group {name!r} contains {', '.join(keys[:6]) or 'no array'}; expected one array, "
        "or rgb and flow"
    )


def _arrays(group: Any) -> list[str]:
    """Returns the names of all arrays below a group."""
    keys: list[str] = []
    group.visititems(lambda key, item: keys.append(key) if not _is_group(item) else None)
    return sorted(keys)


def _is_group(item: object) -> bool:
    return hasattr(item, "keys")

"""The layout of W-TALC and related code: all videos in a few object arrays.

    NAME-I3D-JOINTFeatures.npy           (videos,) of (T, D); or NAME-UNT-JOINTFeatures.npy
    NAME-Annotations/videoname.npy       (videos,)
    NAME-Annotations/subset.npy          (videos,)
    NAME-Annotations/labels.npy          (videos,) of lists, one label per instance
    NAME-Annotations/labels_all.npy      (videos,) of lists, the labels of the video
    NAME-Annotations/segments.npy        (videos,) of lists of [start, end] in seconds
    NAME-Annotations/duration.npy        (videos,) or (videos, 1), optional, in seconds

The snippets of I3D are 16 frames at 25 a second, those of UNT 4 at 10. That code turns snippets
into seconds by these numbers, whatever extracted_fps.npy contains, and so does this reader. The
annotated durations are only compared with those of the features.

Object arrays are pickles. The unpickler here builds numpy's arrays and Python's plain containers
alone, so a file cannot run code.
"""

import pickle
from collections import Counter
from pathlib import Path
from typing import IO, Any

import numpy as np

from model.errors import DataError
from training.datasets.annotations import Annotation, annotation
from training.datasets.assembly import assemble
from training.datasets.feature_clock import FeatureRate
from training.datasets.feature_files import HeldArray
from training.datasets.labels import text
from training.datasets.video_record import VideoSet

EXPECTED = "NAME-I3D-JOINTFeatures.npy and NAME-Annotations/{videoname,subset,labels_all,...}.npy"
_RATES = {"I3D": FeatureRate(), "UNT": FeatureRate(fps=10.0, stride_frames=4)}
"""Rate of the published features of each kind."""
_COLUMNS = ("subset", "labels_all", "labels", "segments")


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return bool(_feature_files(folder))


def read(folder: Path, rate: FeatureRate | None = None) -> VideoSet:
    """Returns all videos. The whole feature file is in memory because of its format.

    Args:
        folder: Folder of the data set.
        rate: Rate of the features; that of the published ones if not given.

    Raises:
        DataError: A file is absent, damaged, or contains more than arrays.
    """
    files = _feature_files(folder)
    if len(files) > 1:
        found = ", ".join(path.name for path, _ in files)
        raise DataError(f"{folder}: expected one file of features, got {found}")
    ((path, kind),) = files
    notes = path.with_name(path.name.removesuffix(_ending(kind)) + "-Annotations")
    arrays, names = load_objects(path), _names(notes / "videoname.npy")
    table = {column: load_objects(notes / f"{column}.npy") for column in _COLUMNS}
    durations = _durations(notes / "duration.npy", len(names))
    for column, values in {"features": arrays, "durations": durations, **table}.items():
        if len(values) != len(names):
            raise DataError(f"{folder}: {len(names)} videos, but {len(values)} in {column}")
    rows = zip(names, durations, *table.values(), strict=True)
    return assemble(
        [_annotation(*row) for row in rows],
        {id_: HeldArray(np.asarray(array)) for id_, array in zip(names, arrays, strict=True)},
        source=folder,
        expected=EXPECTED,
        snippet_s=(rate or _RATES[kind]).snippet_s,
    )


def _ending(kind: str) -> str:
    return f"-{kind}-JOINTFeatures.npy"


def _feature_files(folder: Path) -> list[tuple[Path, str]]:
    return [(path, kind) for kind in _RATES for path in sorted(folder.glob(f"*{_ending(kind)}"))]


def _names(path: Path) -> list[str]:
    names = [text(name, name="the name of a video") for name in load_objects(path)]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path}: expected each video once, got {repeated[0]!r} several times")
    return names


def _durations(path: Path, videos: int) -> list[float | None]:
    if not path.is_file():
        return [None] * videos
    return [float(np.asarray(value).ravel()[0]) for value in load_objects(path)]


def _annotation(
    id_: str, duration_s: float | None, subset: Any, labels_all: Any, labels: Any, segments: Any
) -> Annotation:
    try:
        timed = [
            (float(segment[0]), float(segment[1]), label)
            for label, segment in zip(labels, segments, strict=True)
        ]
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"video {id_!r}: labels and segments do not fit: {error}") from error
    return annotation(id_, text(subset, name="subset"), duration_s, list(labels_all), timed)


def load_objects(path: Path) -> Any:
    """Returns the array of an .npy file, possibly an object array, without running any code.

    Raises:
        DataError: The file is absent or damaged, or contains more than arrays and containers.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, dtype = read_header(file)
            if not dtype.hasobject:
                return np.load(path, allow_pickle=False)
            return _ArrayUnpickler(file).load().reshape(shape)
    except FileNotFoundError:
        raise DataError(f"no file {path}; expected {EXPECTED}") from None
    except DataError:
        raise
    except Exception as error:  # damaged bytes make the unpickler raise any type
        raise DataError(f"{path} is not a readable array: {error}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Builds numpy's arrays and Python's plain containers, and refuses everything else."""

    _KNOWN = frozenset(
        {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
        | {
            (f"numpy.{core}.multiarray", name)
            for core in ("core", "_core")
            for name in ("_reconstruct", "scalar")
        }
    )

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="bytes")  # Python 2 wrote the published files

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise DataError(f"the file contains a {module}.{name}; only plain arrays are read")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)

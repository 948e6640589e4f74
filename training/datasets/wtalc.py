"""The layout of W-TALC and related code: all videos in a few object arrays.

    NAME-I3D-JOINTFeatures.npy           (videos,) of (T, D)
    NAME-Annotations/videoname.npy       (videos,)
    NAME-Annotations/subset.npy          (videos,)
    NAME-Annotations/labels.npy          (videos,) of lists, one label per instance
    NAME-Annotations/labels_all.npy      (videos,) of lists, the labels of the video
    NAME-Annotations/segments.npy        (videos,) of lists of [start, end] in seconds
    NAME-Annotations/duration.npy        (videos,), optional
    NAME-Annotations/extracted_fps.npy   (videos,), optional; 25 without it

Object arrays are pickles. The unpickler here builds numpy's arrays and Python's plain containers
alone, so a file cannot run code.
"""

import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np

from model.errors import DataError
from model.segments import Segment
from model.snippets import SnippetClock
from training.datasets.annotations import SUBSETS, video_set
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet

EXPECTED = "NAME-I3D-JOINTFeatures.npy and NAME-Annotations/{videoname,subset,labels_all,...}.npy"
EXTRACTED_FPS = 25.0
"""Frames per second at which the published features were extracted."""
_FEATURES = "-I3D-JOINTFeatures.npy"


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return next(folder.glob(f"*{_FEATURES}"), None) is not None


def read(folder: Path) -> VideoSet:
    """Returns all videos. The whole feature file is in memory because of its format.

    Raises:
        DataError: A file is absent, damaged, or contains more than arrays.
    """
    features = next(folder.glob(f"*{_FEATURES}"))
    annotations = features.with_name(features.name.removesuffix(_FEATURES) + "-Annotations")
    arrays = load_objects(features)
    names = [_text(name) for name in load_objects(annotations / "videoname.npy")]
    table = {
        column: load_objects(annotations / f"{column}.npy")
        for column in ("subset", "labels_all", "labels", "segments")
    }
    for column, values in {"features": arrays, **table}.items():
        if len(values) != len(names):
            raise DataError(f"{folder}: {len(names)} videos, but {len(values)} in {column}")
    durations = _durations(annotations, arrays)
    videos = [
        VideoRecord(
            id_,
            SUBSETS.get(_text(table["subset"][row]), _text(table["subset"][row])),
            durations[row],
            tuple(sorted({_text(label) for label in table["labels_all"][row]})),
            _instances(table["labels"][row], table["segments"][row], id_),
            HeldArray(np.asarray(arrays[row])),
        )
        for row, id_ in enumerate(names)
    ]
    classes = sorted({label for video in videos for label in video.labels})
    return video_set(videos, [], classes, source=folder, expected=EXPECTED)


def _durations(annotations: Path, arrays: Any) -> list[float]:
    if (annotations / "duration.npy").is_file():
        return [
            float(np.asarray(value).ravel()[0])
            for value in load_objects(annotations / "duration.npy")
        ]
    rates = [EXTRACTED_FPS] * len(arrays)
    if (annotations / "extracted_fps.npy").is_file():
        rates = [float(value) for value in load_objects(annotations / "extracted_fps.npy")]
    return [
        SnippetClock.from_rate(fps=fps).seconds(len(array))
        for fps, array in zip(rates, arrays, strict=True)
    ]


def _instances(labels: Any, segments: Any, id_: str) -> tuple[Segment, ...]:
    try:
        return tuple(
            Segment(float(segment[0]), float(segment[1]), _text(label))
            for label, segment in zip(labels, segments, strict=True)
        )
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"video {id_!r}: labels and segments do not fit: {error}") from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


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

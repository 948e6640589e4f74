"""The layout of the released ECM code.

    val/ID.npz, test/ID.npz    feat_spa and feat_tem (channels, snippets), cls_label (classes,),
                               vid_name, frame_num, fps
    labels.txt                 one class per line; without it, classes are class_000, ...
    gt.json                    segments in ActivityNet's format, optional

THUMOS14 trains on the videos of its validation set, so folder `val` is subset `training` here.
"""

from pathlib import Path

import numpy as np

from model.errors import DataError
from training.datasets.annotations import Annotation, read_annotations, video_set
from training.datasets.feature_files import ChannelFirstArchive
from training.datasets.video_record import VideoRecord, VideoSet

EXPECTED = "val/ID.npz and test/ID.npz with feat_spa, feat_tem, cls_label, frame_num, fps"
_SUBSETS = {"val": "training", "test": "test"}


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return any(next((folder / name).glob("*.npz"), None) for name in _SUBSETS)


def read(folder: Path) -> VideoSet:
    """Returns the videos of both folders.

    Raises:
        DataError: A file is not valid; the message names it.
    """
    truth = folder / "gt.json"
    annotations = {a.id: a for a in read_annotations(truth)} if truth.is_file() else {}
    paths = [(path, name) for name in _SUBSETS for path in sorted((folder / name).glob("*.npz"))]
    present = [_present(ChannelFirstArchive(path)) for path, _ in paths]
    if len({len(row) for row in present}) != 1:
        raise DataError(f"{folder}: cls_label differs in length between the files")
    classes = _classes(folder / "labels.txt", len(present[0]))
    videos = [
        _record(path, subset, [classes[index] for index in np.flatnonzero(row)], annotations)
        for (path, subset), row in zip(paths, present, strict=True)
    ]
    return video_set(videos, [], classes, source=folder, expected=EXPECTED)


def _present(archive: ChannelFirstArchive) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    row = archive.read("cls_label").ravel()
    if not np.issubdtype(row.dtype, np.number) and row.dtype != np.bool_:
        raise DataError(f"{archive.path}: expected cls_label as numbers, got {row.dtype}")
    return row


def _classes(path: Path, count: int) -> list[str]:
    if not path.is_file():
        return [f"class_{index:03d}" for index in range(count)]
    labels = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if len(labels) != count:
        raise DataError(f"{path} names {len(labels)} classes, cls_label has {count}")
    return labels


def _record(
    path: Path, subset: str, labels: list[str], annotations: dict[str, Annotation]
) -> VideoRecord:
    source = ChannelFirstArchive(path)
    frames, fps = (float(source.read(name)) for name in ("frame_num", "fps"))
    if not (frames > 0 and fps > 0):
        raise DataError(f"{path}: expected frame_num and fps above 0, got {frames} and {fps}")
    instances = annotations[path.stem].instances if path.stem in annotations else ()
    return VideoRecord(
        path.stem, _SUBSETS[subset], frames / fps, tuple(sorted(labels)), instances, source
    )

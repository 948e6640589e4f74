"""The layout of the released ECM code.

    val/ID.npz, test/ID.npz    feat_spa and feat_tem (channels, snippets), cls_label (classes,),
                               vid_name, frame_num, fps
    labels.txt                 one class per line; without it, classes are class_000, ...
    gt.json                    segments in ActivityNet's format, optional

THUMOS14 trains on the videos of its validation set, so folder `val` is subset `training` here.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.errors import DataError
from training.datasets.annotations import Annotation, annotation, read_annotations
from training.datasets.assembly import assemble
from training.datasets.feature_clock import FeatureRate
from training.datasets.feature_files import ArchiveMember, Streams
from training.datasets.video_record import VideoSet

EXPECTED = "val/ID.npz and test/ID.npz with feat_spa, feat_tem, cls_label, frame_num, fps"
_SUBSETS = {"val": "training", "test": "test"}


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return any(next((folder / name).glob("*.npz"), None) for name in _SUBSETS)


def read(folder: Path, rate: FeatureRate | None = None) -> VideoSet:
    """Returns the videos of both folders.

    Args:
        folder: Folder of the data set.
        rate: Rate of the features. Without it, as in the released code, the snippets divide
            frame_num / fps seconds evenly.

    Raises:
        DataError: A file is not valid; the message names it.
    """
    truth = folder / "gt.json"
    timed = {a.id: a for a in read_annotations(truth)} if truth.is_file() else {}
    paths = _paths(folder)
    present = {id_: _present(path) for id_, (path, _) in paths.items()}
    lengths = {len(row) for row in present.values()}
    if len(lengths) != 1:
        raise DataError(f"{folder}: cls_label differs in length between the files")
    classes = _classes(folder / "labels.txt", lengths.pop())
    return assemble(
        [
            _annotation(path, _SUBSETS[name], [classes[i] for i in np.flatnonzero(present[id_])],
                        timed)
            for id_, (path, name) in paths.items()
        ],
        {id_: _source(path) for id_, (path, _) in paths.items()},
        source=folder,
        expected=EXPECTED,
        snippet_s=rate.snippet_s if rate else None,
        classes=classes,
    )  # fmt: skip


def _paths(folder: Path) -> dict[str, tuple[Path, str]]:
    """Returns the file of each video and the name of its folder.

    Raises:
        DataError: A video is in both folders.
    """
    paths: dict[str, tuple[Path, str]] = {}
    for name in _SUBSETS:
        for path in sorted((folder / name).glob("*.npz")):
            if path.stem in paths:
                raise DataError(f"{folder}: {path.name!r} is in val and test; expected it in one")
            paths[path.stem] = path, name
    return paths


def _source(path: Path) -> Streams:
    parts = ArchiveMember(path, "feat_spa"), ArchiveMember(path, "feat_tem")
    return Streams(parts, channels_first=True)


def _present(path: Path) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    row = ArchiveMember(path, "cls_label").load().ravel()
    if not np.issubdtype(row.dtype, np.number) and row.dtype != np.bool_:
        raise DataError(f"{path}: expected cls_label as numbers, got {row.dtype}")
    return row


def _classes(path: Path, count: int) -> list[str]:
    if not path.is_file():
        return [f"class_{index:03d}" for index in range(count)]
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    labels = [" ".join(line.split()) for line in lines if line.strip()]
    if len(set(labels)) != count:
        raise DataError(f"{path} names {len(set(labels))} classes, cls_label has {count}")
    return labels


def _annotation(
    path: Path, subset: str, labels: list[str], timed: dict[str, Annotation]
) -> Annotation:
    frames, fps = (float(ArchiveMember(path, name).load()) for name in ("frame_num", "fps"))
    if not (frames > 0 and fps > 0):
        raise DataError(f"{path}: expected frame_num and fps above 0, got {frames} and {fps}")
    own = annotation(path.stem, subset, frames / fps, labels)
    instances = timed[path.stem].instances if path.stem in timed else ()
    return replace(own, instances=instances)

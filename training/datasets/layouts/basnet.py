"""The layout of BaS-Net, CoLA and related code for THUMOS14.

gt.json                                    ActivityNet's format, quoted numbers, no durations
split_train.txt, split_test.txt            one video per line
features/{train,test}/{rgb,flow}/ID.npy    (T, 1024) each, one row per 16 frames at 25 a second

Learning-Action-Completeness adds fps_dict.json, the rates of the original videos, and turns
annotated frame numbers into seconds by them. The features do not depend on these rates, so this
reader does not use the file.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from model.errors import DataError
from training.datasets.annotations import all_labels, read_annotations
from training.datasets.assembly import assemble
from training.datasets.feature_clock import FeatureRate
from training.datasets.feature_files import FeatureSource, NpyFile, Streams
from training.datasets.video_record import VideoSet

EXPECTED = "gt.json, split_train.txt, split_test.txt and features/{train,test}/{rgb,flow}/ID.npy"
_SUBSETS = {"train": "training", "test": "test"}
_STREAMS = ("rgb", "flow")


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return (folder / "gt.json").is_file() and (folder / "split_train.txt").is_file()


def read(folder: Path, rate: FeatureRate | None = None) -> VideoSet:
    """Returns the videos of both splits that have features.

    Args:
        folder: Folder of the data set.
        rate: Rate of the features; 16 frames at 25 a second, as published, if not given.

    Raises:
        DataError: A file is absent or is not valid.
    """
    annotations = {annotation.id: annotation for annotation in read_annotations(folder / "gt.json")}
    split_of = _read_splits(folder)
    if absent := [id_ for id_ in split_of if id_ not in annotations]:
        raise DataError(
            f"{folder}: {absent[0]!r} of split_{split_of[absent[0]]}.txt has no entry in gt.json"
        )
    return assemble(
        [replace(annotations[id_], subset=_SUBSETS[split]) for id_, split in split_of.items()],
        _sources(folder, split_of),
        source=folder,
        expected="features/{train,test}/{rgb,flow}/ID.npy",
        snippet_s=(rate or FeatureRate()).snippet_s,
        unnamed=_unnamed(folder, split_of),
        classes=all_labels(list(annotations.values())),
    )


def _read_splits(folder: Path) -> dict[str, str]:
    """Returns the split of each video.

    Raises:
        DataError: A split file cannot be read, or a video is in both.
    """
    split_of: dict[str, str] = {}
    for split in _SUBSETS:
        path = folder / f"split_{split}.txt"
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        for id_ in filter(None, map(str.strip, lines)):
            if split_of.setdefault(id_, split) != split:
                raise DataError(f"{folder}: {id_!r} is in both split files; expected it in one")
    return split_of


def _sources(folder: Path, split_of: Mapping[str, str]) -> dict[str, FeatureSource]:
    """Returns the features of each video of which both streams are there."""
    paths = {
        id_: [folder / "features" / split / stream / f"{id_}.npy" for stream in _STREAMS]
        for id_, split in split_of.items()
    }
    return {
        id_: Streams(tuple(map(NpyFile, own)))
        for id_, own in paths.items()
        if all(path.is_file() for path in own)
    }


def _unnamed(folder: Path, split_of: Mapping[str, str]) -> list[str]:
    files = sorted((folder / "features").glob("*/*/*.npy"))
    return [
        path.relative_to(folder).as_posix()
        for path in files
        if split_of.get(path.stem) != path.parent.parent.name
    ]

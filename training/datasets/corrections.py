"""Corrections: entries that replace what the labels of a data set contain of some videos.

The page of the service writes them in ActivityNet's format: one file with all corrected videos, in
its folder of corrections, or one download for each video.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from features.video_ids import match_ids
from model.errors import DataError
from training.datasets.annotations import Annotation, all_labels, read_annotations
from training.datasets.video_record import VideoRecord, VideoSet

_NAMED = 5
"""Videos that a message names at most."""
_log = logging.getLogger(__name__)


def read_corrections(path: Path) -> list[Annotation]:
    """Returns the corrected videos of a file, or of all .json files of a folder.

    Raises:
        DataError: A file cannot be read, there is none, or two files correct the same video.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"no corrections in {path}; expected files *.json in ActivityNet's format")
    origin: dict[str, Path] = {}
    corrections = []
    for file in files:
        for one in read_annotations(file):
            if one.id in origin:
                raise DataError(
                    f"video {one.id!r} is corrected in {origin[one.id]} and in {file}; remove the "
                    "older one"
                )
            origin[one.id] = file
            corrections.append(one)
    return corrections


def corrected(videos: VideoSet, corrections: Sequence[Annotation], source: Path) -> VideoSet:
    """Returns the videos with the labels and times of their corrections, and warns of differences.

    A video keeps its subset, because a correction does not make a validation video one to learn
    from. A corrected entry without labels declares that the video shows no class.

    Args:
        videos: Videos of the data set.
        corrections: Entries of some of them.
        source: Path of the corrections, for messages.

    Raises:
        DataError: No entry is of one of the videos, or an entry cannot be used.
    """
    by_id = {one.id: one for one in corrections}
    id_of = {name: id_ for id_, name in match_ids(by_id, videos.ids).items()}
    if not id_of:
        raise DataError(
            f"{source} corrects none of the {len(videos.videos)} videos of {videos.source}, for "
            f"instance {next(iter(by_id), 'nothing')!r}"
        )
    if unreadable := [id_ for id_ in id_of.values() if not by_id[id_].is_readable]:
        raise DataError(f"{source}: {by_id[unreadable[0]].remarks[0]}")
    entries = {name: by_id[id_] for name, id_ in id_of.items()}
    _warn(videos, entries, sorted(by_id.keys() - id_of.values()), source)
    records = tuple(
        _replaced(video, entries[video.id]) if video.id in entries else video
        for video in videos.videos
    )
    new = set(all_labels(list(entries.values()))) - set(videos.classes)
    return replace(videos, videos=records, classes=(*videos.classes, *sorted(new)))


def _replaced(video: VideoRecord, entry: Annotation) -> VideoRecord:
    return replace(video, labels=entry.labels, instances=entry.instances, untimed=entry.untimed)


def _warn(
    videos: VideoSet, entries: Mapping[str, Annotation], unknown: Sequence[str], source: Path
) -> None:
    if unknown:
        _log.warning(
            "%s: videos without labels or features are left out: %s", source, _names(unknown)
        )
    changes = [
        f"{video.id} ({_tags(video.labels)}, now {_tags(entries[video.id].labels)})"
        for video in videos.videos
        if video.id in entries and video.labels != entries[video.id].labels
    ]
    if changes:
        _log.warning("%s: tags that the corrections change: %s", source, _names(changes))


def _tags(labels: Iterable[str]) -> str:
    return " + ".join(labels) or "no tag"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + ", ..." * (len(names) > _NAMED)

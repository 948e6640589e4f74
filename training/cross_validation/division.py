"""Division of a data set for `ecm cross-validate`: by given groups, by scene, or by tags alone."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.extraction import find_videos
from features.video_ids import match_ids
from model.errors import DataError
from training.cross_validation.folds import Split, group_folds, splits, tag_folds
from training.cross_validation.parts import scene_splits
from training.cross_validation.scenes import ScenePart, scenes, shots, video_groups
from training.datasets.video_record import VideoProgress, VideoSet
from training.snippet_targets import unknown_times

_log = logging.getLogger(__name__)


def splits_by_group(
    videos: VideoSet, groups: Mapping[str, str], folds: int, seed: int
) -> list[Split]:
    """Returns splits in which no group is both learned from and measured on.

    Raises:
        DataError: A video has no group, or all have the same.
    """
    missing = [id_ for id_ in videos.ids if id_ not in groups]
    if missing:
        raise DataError(f"{len(missing)} videos have no group, for instance {missing[0]!r}")
    names, group_V = np.unique([groups[id_] for id_ in videos.ids], return_inverse=True)
    if len(names) < 2:
        raise DataError(f"expected at least two groups, got {names[0]!r} alone")
    return _by_group(videos, group_V, folds, seed)


def splits_by_scene(
    videos: VideoSet, parts_of: Mapping[str, list[ScenePart]], folds: int, seed: int
) -> list[Split]:
    """Returns splits in which no scene is both learned from and measured on, where possible.

    Whole videos are divided if their scenes allow it. Otherwise videos with known times are cut.
    Without times, the tags of a part would be unknown, so videos are divided by tags alone.

    Args:
        videos: Videos to divide.
        parts_of: Scenes of each video, by id.
        folds: Number of splits; fewer if there are fewer scenes.
        seed: Seed of the division.
    """
    group_V = video_groups({id_: parts_of[id_] for id_ in videos.ids})
    largest = int(np.bincount(group_V).max())
    total = len({part.scene for id_ in videos.ids for part in parts_of[id_]})
    if largest <= len(videos.videos) / folds + 1:
        _log.info("%d scenes; whole videos are divided", total)
        return _by_group(videos, group_V, folds, seed)
    if not any(unknown_times(video) for video in videos.videos):
        _log.info(
            "%d scenes, which connect %d of %d videos; videos are cut by scene",
            total, largest, len(videos.videos),
        )  # fmt: skip
        return scene_splits(videos, parts_of, folds, seed)
    _log.warning(
        "scenes connect %d of %d videos, and without times the tags of a part are unknown; videos "
        "are divided by tags alone, so the figures are too good for new places",
        largest, len(videos.videos),
    )  # fmt: skip
    return splits_by_tag(videos, folds, seed)


def splits_by_tag(videos: VideoSet, folds: int, seed: int) -> list[Split]:
    """Returns splits of whole videos, with every combination of tags spread over all of them."""
    return splits(videos, tag_folds(videos.videos, folds, seed))


def scenes_of(videos: VideoSet, folder: Path, bar: VideoProgress) -> dict[str, list[ScenePart]]:
    """Returns the scenes of videos by id, from their files.

    Raises:
        VideoError: A file cannot be read.
    """
    files = find_videos(folder)
    name_of = match_ids(videos.ids, files)
    return scenes({video.id: shots(files[name_of[video.id]]) for video in bar(videos.videos)})


def _by_group(videos: VideoSet, group_V: NDArray[np.intp], folds: int, seed: int) -> list[Split]:
    tag_VC = videos.labels_VC(videos.classes)
    return splits(videos, group_folds(group_V, tag_VC, folds, seed)[group_V])

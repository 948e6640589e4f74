"""Parts of videos: what is left of a video where some scenes are taken out.

Videos may be joined from many scenes, so that no division of whole videos keeps places apart. With
known times, the tags of a part of a video are known, and videos can be divided by scene.

Axes: T snippets, V videos, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.segments import Segment
from model.snippets import snippet_centres
from training.cross_validation.folds import Split, group_folds
from training.cross_validation.scenes import ScenePart
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet

Bools: TypeAlias = NDArray[np.bool_]


def scene_splits(
    videos: VideoSet, parts_of: Mapping[str, Sequence[ScenePart]], folds: int, seed: int
) -> list[Split]:
    """Returns splits in which no scene is both learned from and measured on.

    A snippet is learned from only if it is wholly within learned scenes. It is measured on if its
    centre is in a held-out scene.

    Args:
        videos: Videos with known times.
        parts_of: Scenes of each video, by id.
        folds: Number of splits; fewer if there are fewer scenes.
        seed: Division of equal scenes.
    """
    rows = [(video, part) for video in videos.videos for part in parts_of[video.id]]
    scene_V = np.array([part.scene for _, part in rows])
    weight_VC = np.array([_seconds(video, part, videos.classes) for video, part in rows])
    fold_G = group_folds(scene_V, weight_VC, folds, seed)
    return [_split(videos, parts_of, fold_G, fold) for fold in np.unique(fold_G).tolist()]


def _seconds(video: VideoRecord, part: ScenePart, classes: Sequence[str]) -> list[float]:
    """Returns the seconds of each class in a part of a video."""
    shown = dict.fromkeys(classes, 0.0)
    for one in video.instances:
        overlap_s = min(one.end_s, part.end_s) - max(one.start_s, part.start_s)
        shown[one.label] += max(overlap_s, 0.0)
    return list(shown.values())


def _split(
    videos: VideoSet,
    parts_of: Mapping[str, Sequence[ScenePart]],
    fold_G: NDArray[np.intp],
    fold: int,
) -> Split:
    learned, held_out = [], []
    for video in videos.videos:
        snippets = len(video.features_as_stored())
        centre_T = snippet_centres(snippets=snippets, duration_s=video.duration_s)
        is_own_T, touches_T = np.zeros(snippets, bool), np.zeros(snippets, bool)
        half_s = video.duration_s / snippets / 2
        for part in parts_of[video.id]:
            if fold_G[part.scene] == fold:
                is_own_T |= (centre_T >= part.start_s) & (centre_T < part.end_s)
                touches_T |= (centre_T + half_s > part.start_s) & (centre_T - half_s < part.end_s)
        if not touches_T.all():
            learned.append(restricted(video, ~touches_T))
        if is_own_T.any():
            held_out.append(restricted(video, is_own_T))
    return Split(_with(videos, learned), _with(videos, held_out))


def _with(videos: VideoSet, records: Sequence[VideoRecord]) -> VideoSet:
    return replace(videos, videos=tuple(records))


def restricted(video: VideoRecord, keep_T: Bools) -> VideoRecord:
    """Returns a video that consists of some of its snippets, joined, with the tags of these.

    Example: of six snippets of 1 s, those from 2 s to 4 s are left out. An instance from 1 s to 5 s
    becomes one from 1 s to 3 s. Instances that come to touch each other become one. What is left of
    an instance counts if it is at least half a snippet long.
    """
    if keep_T.all():
        return video
    snippet_s = video.duration_s / len(keep_T)
    edge_s = np.arange(len(keep_T) + 1) * snippet_s
    kept_s = np.concatenate([[0], np.cumsum(keep_T)]) * snippet_s
    moved = [
        one._replace(
            start_s=float(np.interp(one.start_s, edge_s, kept_s)),
            end_s=float(np.interp(one.end_s, edge_s, kept_s)),
        )
        for one in video.instances
    ]
    instances = _joined([one for one in moved if one.end_s - one.start_s >= snippet_s / 2])
    return replace(
        video,
        duration_s=float(kept_s[-1]),
        labels=tuple(sorted({one.label for one in instances})),
        instances=tuple(instances),
        source=HeldArray(np.array(video.features_as_stored()[keep_T])),
        annotated_s=None,
        ambiguous=(),
    )


def _joined(instances: Sequence[Segment]) -> list[Segment]:
    """Returns instances with those of a class that touch each other made one."""
    found: list[Segment] = []
    for one in sorted(instances, key=lambda one: (one.label, one.start_s)):
        last = found[-1] if found else None
        if last and last.label == one.label and one.start_s <= last.end_s + 1e-6:
            found[-1] = last._replace(end_s=max(last.end_s, one.end_s))
        else:
            found.append(one)
    return sorted(found)

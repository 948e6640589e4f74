"""Scenes: shots of videos that show the same place.

A video is cut into shots where its image jumps. Two shots belong to one scene if the median images
of their frames differ little or have the same edges; this continues from shot to shot. The limits
were chosen by eye on surveillance videos (docs/explanation/results.md).

Axes: F frames, H height, W width, N shots, T snippets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from features.flow.opencv import to_grey
from features.motion import cuts

Floats: TypeAlias = NDArray[np.float32]

RATE_FPS = 10
"""Frames a second that are looked at."""
SHORT_SIDE = 24
"""Pixels of the shorter side of the images that are compared."""
MOST_DIFFERENCE = 28.0
"""Root mean square of the difference of two median images of one scene, in grey levels."""
LEAST_CORRELATION = 0.45
"""Correlation of the gradients of two median images of one scene."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A part of a video without a jump of the image."""

    start_s: float
    """Start in seconds."""
    end_s: float
    """End in seconds."""
    median_HW: Floats
    """Median of its frames, in grey levels."""


@dataclass(frozen=True, slots=True)
class ScenePart:
    """A time of a video and the number of the scene that it shows."""

    start_s: float
    """Start in seconds."""
    end_s: float
    """End in seconds."""
    scene: int
    """Number of the scene."""


def shots(path: Path) -> list[Shot]:
    """Returns the shots of a video.

    Raises:
        VideoError: The video cannot be read.
    """
    from features.video.reading import read_snippets  # loads FFmpeg, which is slow

    seconds = read_snippets(
        path, rate_fps=RATE_FPS, snippet_frames=RATE_FPS, short_side=SHORT_SIDE, threads=1
    )
    grey_FHW = np.concatenate([to_grey(frames_FHWC[:-1]) for frames_FHWC in seconds])
    borders = [0, *(np.flatnonzero(cuts(grey_FHW)) + 1).tolist(), len(grey_FHW)]
    return [
        Shot(
            first / RATE_FPS,
            end / RATE_FPS,
            np.median(grey_FHW[first:end], axis=0).astype(np.float32),
        )
        for first, end in pairwise(borders)
    ]


def scenes(shots_of: Mapping[str, Iterable[Shot]]) -> dict[str, list[ScenePart]]:
    """Returns the scenes of each video, by id; videos may have different sizes.

    Args:
        shots_of: Shots of each video.
    """
    every = [(id_, shot) for id_, own in shots_of.items() for shot in own]
    scene_N = same_place([shot.median_HW for _, shot in every]).tolist()
    parts: dict[str, list[ScenePart]] = {id_: [] for id_ in shots_of}
    for (id_, shot), scene in zip(every, scene_N, strict=True):
        parts[id_].append(ScenePart(shot.start_s, shot.end_s, scene))
    return parts


def same_place(medians: list[Floats]) -> NDArray[np.intp]:
    """Returns the number of the scene of each median image, (N,)."""
    from scipy.sparse.csgraph import connected_components

    size = (SHORT_SIDE * 4 // 3, SHORT_SIDE)
    image_NHW = np.stack([cv2.resize(median_HW, size) for median_HW in medians])
    image_NP = image_NHW.reshape(len(image_NHW), -1)
    square_N = (image_NP**2).mean(axis=1)
    product_NN = image_NP @ image_NP.T / image_NP.shape[1]
    difference_NN = np.sqrt(np.maximum(square_N[:, None] + square_N - 2 * product_NN, 0))
    edges_NP = np.concatenate(
        [edges_NHW.reshape(len(image_NP), -1) for edges_NHW in np.gradient(image_NHW, axis=(1, 2))],
        axis=1,
    )
    edges_NP -= edges_NP.mean(axis=1, keepdims=True)
    edges_NP /= np.linalg.norm(edges_NP, axis=1, keepdims=True) + 1e-6
    is_same_NN = (difference_NN < MOST_DIFFERENCE) | (edges_NP @ edges_NP.T > LEAST_CORRELATION)
    return np.asarray(connected_components(is_same_NN)[1], np.intp)


def video_groups(parts_of: Mapping[str, list[ScenePart]]) -> NDArray[np.intp]:
    """Returns the group of each video; videos with a common scene are in one group, (V,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = [(row, part.scene) for row, own in enumerate(parts_of.values()) for part in own]
    rows, scene_N = (np.array(column) for column in zip(*pairs, strict=True))
    videos, last = len(parts_of), int(scene_N.max())
    edges = (np.ones(len(rows)), (rows, videos + scene_N))
    graph = coo_matrix(edges, shape=(videos + last + 1,) * 2)
    return np.asarray(connected_components(graph, directed=False)[1][:videos], np.intp)

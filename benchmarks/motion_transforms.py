"""Changes of the features of `motion` that were tried (benchmarks/motion_designs.py).

Some append channels to the features of each video. Others make changed copies of videos to learn
from.

Axes: T snippets, D channels.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.stats import rankdata

from features.motion import MotionExtractor
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord

Floats: TypeAlias = NDArray[np.float32]
Rng: TypeAlias = np.random.Generator

CONTEXT = 7
"""Snippets of the surroundings, 4.2 s."""


def centred(rows_TD: Floats) -> Floats:
    """Returns the rows, and their difference from the mean of the video."""
    return np.hstack([rows_TD, rows_TD - rows_TD.mean(axis=0)])


def normalized(rows_TD: Floats) -> Floats:
    """Returns the rows, and the same in standard deviations from the mean of the video."""
    centred_TD = rows_TD - rows_TD.mean(axis=0)
    return np.hstack([rows_TD, centred_TD / (rows_TD.std(axis=0) + 0.05)])


def ranked(rows_TD: Floats) -> Floats:
    """Returns the rows, and the rank of each value in the video, from 0 to 1."""
    rank_TD = (rankdata(rows_TD, axis=0) - 0.5) / len(rows_TD)
    return np.hstack([rows_TD, rank_TD.astype(np.float32)])


def in_context(rows_TD: Floats) -> Floats:
    """Returns the rows, and their difference from the mean of their surroundings."""
    around_TD = uniform_filter1d(rows_TD, CONTEXT, axis=0, mode="nearest")
    return np.hstack([rows_TD, rows_TD - around_TD])


def with_gain(video: VideoRecord, _others: Sequence[VideoRecord], rng: Rng) -> VideoRecord:
    """Returns a video whose motion is from half to twice as strong."""
    shape = (MotionExtractor.snippet_frames + 1, 64, 64, 3)
    still_D = next(MotionExtractor().features([np.zeros(shape, np.uint8)]))
    rows_TD = still_D + np.sqrt(2 ** rng.uniform(-1, 1)) * (video.features() - still_D)
    return replace(video, source=HeldArray(rows_TD.astype(np.float32)))


def with_background(video: VideoRecord, others: Sequence[VideoRecord], rng: Rng) -> VideoRecord:
    """Returns a video with another one that has no tag before or after it."""
    untagged = [other for other in others if not other.labels]
    other = untagged[rng.integers(len(untagged))]
    both = [video.features(), other.features()][:: rng.choice([-1, 1])]
    source, duration_s = HeldArray(np.concatenate(both)), video.duration_s + other.duration_s
    return replace(video, source=source, duration_s=duration_s, instances=())

"""What every data set, in whatever layout, is read into."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from model.segments import Segment
from model.spec import ExtractorIdentity
from training.datasets.feature_files import FeatureSource


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """One untrimmed video."""

    id: str
    """Its name in the annotations."""
    subset: str
    """`training`, `validation`, `test` or any other name that the annotations use."""
    duration_s: float
    """Its length."""
    labels: tuple[str, ...]
    """The actions that it shows, sorted; all that training looks at."""
    instances: tuple[Segment, ...]
    """Where they happen, for evaluation; empty where the annotations do not say."""
    source: FeatureSource
    """Where its features lie."""

    def features(self) -> NDArray[np.generic]:
        """Returns the snippet features, (T, D), not yet checked."""
        return self.source.load()


@dataclass(frozen=True, slots=True)
class VideoSet:
    """The videos of a data set and the classes that their labels name."""

    videos: tuple[VideoRecord, ...]
    """In the order of the annotations."""
    classes: tuple[str, ...]
    """All labels, sorted; this order is that of the network's output."""
    source: str
    """Where it was read from, for people."""
    extractor: ExtractorIdentity = field(default_factory=ExtractorIdentity)
    """What made the features, where that is recorded beside them."""

    def subset(self, name: str) -> "VideoSet":
        """Returns the videos of one subset with the classes of all.

        Raises:
            DataError: there is no video in it.
        """
        videos = tuple(video for video in self.videos if video.subset == name)
        if not videos:
            there = sorted({video.subset for video in self.videos})
            raise DataError(f"{self.source}: no video in subset {name!r}; there are {there}")
        return replace(self, videos=videos)

    def hold_out(self, share: float) -> "tuple[VideoSet, VideoSet]":
        """Returns all but a share of the videos, and that share, taken evenly from every label.

        Raises:
            DataError: one of the two would be empty.
        """
        if not 0 < share < 1 or len(self.videos) * share < 1:
            raise DataError(f"cannot hold out a share of {share} of {len(self.videos)} videos")
        alike = sorted(self.videos, key=lambda video: (video.labels, video.id))
        every = round(1 / share)
        held = {video.id for video in alike[every // 2 :: every]}
        kept = tuple(video for video in self.videos if video.id not in held)
        out = tuple(video for video in self.videos if video.id in held)
        if not (kept and out):
            raise DataError(f"holding out {share} of {len(self.videos)} videos leaves none")
        return replace(self, videos=kept), replace(self, videos=out)

    def labels_VC(self, classes: Sequence[str]) -> NDArray[np.float32]:
        """Returns 1 where a video (row) shows a class (column), 0 elsewhere."""
        rows = [[label in video.labels for label in classes] for video in self.videos]
        return np.array(rows, dtype=np.float32)


VideoProgress: TypeAlias = Callable[[Sequence[VideoRecord]], Iterable[VideoRecord]]
"""Wraps the iteration over videos, to show a bar."""

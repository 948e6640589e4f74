"""Videos with their labels and features: every layout is read into these records.

Axes: T snippets, D feature channels, V videos, C classes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.arrays import check_features
from model.errors import DataError, FeatureError
from model.segments import Segment
from model.spec import ExtractorIdentity
from training.datasets.feature_files import FeatureSource


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """One untrimmed video."""

    id: str
    """Name of the video in the annotations."""
    subset: str
    """`training`, `validation`, `test` or any other name that the annotations use."""
    duration_s: float
    """Length of the video."""
    labels: tuple[str, ...]
    """Actions that the video shows, sorted. Training uses nothing else of the annotations, unless
    the recipe learns from segments (training/snippet_targets.py)."""
    instances: tuple[Segment, ...]
    """Annotated times of the actions, for evaluation; empty where the annotations have none."""
    source: FeatureSource
    """Location of the features."""
    annotated_s: float | None = None
    """Length of the video in the annotations, where `duration_s` is that of the features."""
    ambiguous: tuple[tuple[float, float], ...] = ()
    """Start and end of the times that the annotators could not decide on, in seconds."""
    untimed: tuple[str, ...] = ()
    """Labels that the annotations have without a segment: not all of their times are known."""

    def features(self, *, feature_dim: int | None = None) -> NDArray[np.float32]:
        """Returns the checked snippet features, (T, D).

        Args:
            feature_dim: Required number of channels; any number if not given.

        Raises:
            DataError: The features cannot be read or used; the message names the video.
        """
        try:
            return check_features(self.source.load(), feature_dim=feature_dim)
        except FeatureError as error:
            raise DataError(f"video {self.id}: {error}") from error

    def features_as_stored(self) -> NDArray[np.generic]:
        """Returns the unchecked features, (T, D), in the type of the file.

        The array is memory-mapped where the format allows it, so its shape costs no reading.

        Raises:
            DataError: The features cannot be read, or have no snippet; the message names the video.
        """
        try:
            stored = self.source.load()
        except FeatureError as error:
            raise DataError(f"video {self.id}: {error}") from error
        if stored.ndim != 2 or len(stored) == 0:
            raise DataError(
                f"video {self.id}: expected shape (snippets, channels), got {stored.shape}"
            )
        return stored


@dataclass(frozen=True, slots=True)
class VideoSet:
    """The videos of a data set and the classes that their labels name."""

    videos: tuple[VideoRecord, ...]
    """Videos in the order of the annotations."""
    classes: tuple[str, ...]
    """All labels, sorted; the network's output has the same order."""
    source: str
    """Path that the videos were read from, for messages."""
    extractor: ExtractorIdentity = field(default_factory=ExtractorIdentity)
    """Extractor of the features, where a note beside them names it."""
    remarks: tuple[str, ...] = ()
    """Peculiarities of the files, a sentence each, for instance labels that were not used."""
    missing: tuple[str, ...] = ()
    """Annotated videos that have no features, and are left out."""
    unnamed: tuple[str, ...] = ()
    """Files of features that no annotation names."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the videos."""
        return tuple(video.id for video in self.videos)

    def subset(self, name: str) -> "VideoSet":
        """Returns the videos of one subset, with the classes of all videos.

        Raises:
            DataError: The subset has no video.
        """
        videos = tuple(video for video in self.videos if video.subset == name)
        if not videos:
            there = sorted({video.subset for video in self.videos})
            raise DataError(f"{self.source}: no video in subset {name!r}; there are {there}")
        return replace(self, videos=videos)

    def with_ambiguous(self, times: Mapping[str, Sequence[tuple[float, float]]]) -> "VideoSet":
        """Returns the videos with their undecided times, by id; see datasets/ambiguous.py."""
        videos = (replace(v, ambiguous=tuple(times.get(v.id, ()))) for v in self.videos)
        return replace(self, videos=tuple(videos))

    def without_labels(self, excluded: Collection[str]) -> "VideoSet":
        """Returns the videos without some classes and their segments.

        Videos that show no other class are left out, because what else they show is unknown.

        Raises:
            DataError: The data set has no such class.
        """
        unknown = sorted(set(excluded) - set(self.classes))
        if unknown:
            raise DataError(
                f"{self.source}: no class {unknown} to exclude; expected one of {self.classes}"
            )
        kept = [
            replace(
                video,
                labels=tuple(label for label in video.labels if label not in excluded),
                instances=tuple(one for one in video.instances if one.label not in excluded),
                untimed=tuple(label for label in video.untimed if label not in excluded),
            )
            for video in self.videos
            if not video.labels or not set(video.labels) <= set(excluded)
        ]
        classes = tuple(label for label in self.classes if label not in excluded)
        if not (kept and classes):
            raise DataError(f"{self.source}: no video and class are left without {[*excluded]}")
        return replace(self, videos=tuple(kept), classes=classes)

    def require_apart(self, other: "VideoSet") -> None:
        """Checks that no video is in both sets, because it would be judged by what it taught.

        Raises:
            DataError: A video is in both.
        """
        both = sorted({v.id for v in self.videos} & {v.id for v in other.videos})
        if both:
            raise DataError(
                f"{self.source}: {len(both)} videos are to be learned from and to be measured on, "
                f"for instance {both[0]!r}; expected two subsets without a common video"
            )

    def hold_out(self, share: float) -> "tuple[VideoSet, VideoSet]":
        """Splits off a share of the videos, taken evenly from every label.

        Returns:
            The videos to learn from and the held-out ones.

        Raises:
            DataError: One of the two would be empty.
        """
        if not 0 < share < 1 or len(self.videos) * share < 1:
            raise DataError(f"cannot hold out a share of {share} of {len(self.videos)} videos")
        by_labels = sorted(self.videos, key=lambda video: (video.labels, video.id))
        every = round(1 / share)
        ids = {video.id for video in by_labels[every // 2 :: every]}
        learned = tuple(video for video in self.videos if video.id not in ids)
        held_out = tuple(video for video in self.videos if video.id in ids)
        if not (learned and held_out):
            raise DataError(f"holding out {share} of {len(self.videos)} videos leaves none")
        return replace(self, videos=learned), replace(self, videos=held_out)

    def labels_VC(self, classes: Sequence[str]) -> NDArray[np.float32]:
        """Returns 1 where a video (row) shows a class (column), 0 elsewhere."""
        rows = [[label in video.labels for label in classes] for video in self.videos]
        return np.array(rows, dtype=np.float32)


VideoProgress: TypeAlias = Callable[[Sequence[VideoRecord]], Iterable[VideoRecord]]
"""Wraps the iteration over videos, to show a progress bar."""

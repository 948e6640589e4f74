"""Digest of the videos of a run, by which a resumed run notices that its data changed.

A checkpoint contains it. The digest depends on what is learned from, not on where the files are:
a data set that was moved or converted to another layout has the same digest.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from pydantic import ConfigDict, TypeAdapter, with_config

from model.errors import DataError, ModelError
from model.validation import parse_json
from training.datasets.video_record import VideoRecord, VideoSet

_NAMED = 5
"""Videos that a sentence names at most."""
_DIGEST_BYTES = 16
_log = logging.getLogger(__name__)


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class VideoDigest:
    """The facts of one video that a run depends on."""

    labels: tuple[str, ...]
    """Tags of the video."""
    duration_s: float
    """Length of the video, which the clock of the model follows."""
    features: str
    """BLAKE2b of the features, in hexadecimal digits."""
    times: str | None = None
    """BLAKE2b of the annotated and the undecided times; None where they do not matter."""


DataDigest: TypeAlias = dict[str, VideoDigest]
"""The digest of each video by its id."""

_ADAPTER: TypeAdapter[DataDigest] = TypeAdapter(DataDigest)


def data_digest(videos: VideoSet, *, with_times: bool = False) -> DataDigest:
    """Returns the digest of some videos, from one pass over their features.

    Args:
        videos: Videos of one subset.
        with_times: Whether a change of annotated times is a change of these videos.

    Raises:
        DataError: Features cannot be read; the message names the video.
    """
    return {video.id: video_digest(video, with_times=with_times) for video in videos.videos}


def video_digest(video: VideoRecord, *, with_times: bool = False) -> VideoDigest:
    """Returns the digest of one video; see `data_digest`."""
    stored = video.features_as_stored()
    shape = f"{stored.dtype.str} {stored.shape}".encode()
    digest = hashlib.blake2b(shape, digest_size=_DIGEST_BYTES)
    digest.update(np.ascontiguousarray(stored).reshape(-1).view(np.uint8).data)
    times = _times_digest(video) if with_times else None
    return VideoDigest(video.labels, video.duration_s, digest.hexdigest(), times)


def _times_digest(video: VideoRecord) -> str:
    times = [sorted(video.instances), sorted(video.ambiguous)]
    content = json.dumps(times + [video.untimed] * bool(video.untimed))
    return hashlib.blake2b(content.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def same_features(learned: DataDigest, measured: DataDigest) -> str:
    """Returns a sentence on measured videos that are training videos under another id, or "".

    A network is not measured fairly on such videos.

    Raises:
        DataError: All measured videos are of that kind.
    """
    learned_as = {video.features: id_ for id_, video in learned.items()}
    twins = {
        id_: learned_as[video.features]
        for id_, video in measured.items()
        if learned_as.get(video.features, id_) != id_
    }
    if not twins:
        return ""
    measured_id, learned_id = next(iter(twins.items()))
    sentence = (
        f"{len(twins)} of {len(measured)} videos to measure on have the same features as training "
        f"videos, for instance {measured_id!r} as {learned_id!r}"
    )
    if len(twins) == len(measured):
        raise DataError(f"{sentence}; expected other videos than the training videos")
    return sentence


def warn_of_same_features(learned: DataDigest, measured: DataDigest) -> None:
    """Logs the sentence of `same_features`.

    Raises:
        DataError: All measured videos have a training video's features.
    """
    if sentence := same_features(learned, measured):
        _log.warning("%s; remove them from one of the subsets", sentence)


def digest_to_json(digest: DataDigest) -> str:
    """Returns the JSON that `digest_from_json` reads."""
    return _ADAPTER.dump_json(digest).decode()


def digest_from_json(text: str) -> DataDigest:
    """Returns the digest in a JSON text.

    Raises:
        ModelError: The text is not a digest.
    """
    return parse_json(_ADAPTER, text, name="the data digest", error_class=ModelError)


@dataclass(frozen=True, slots=True)
class DataChange:
    """The difference between the data of a run and the data at hand."""

    added: str
    """Names of the added videos; empty without any."""
    altered: str
    """Clauses about videos that were removed or differ; empty without any."""

    def __bool__(self) -> bool:
        return bool(self.added or self.altered)

    def __str__(self) -> str:
        added = f"added videos: {self.added}" if self.added else ""
        return "; ".join(filter(None, (self.altered, added)))


def data_change(before: DataDigest, now: DataDigest) -> DataChange:
    """Returns what changed between two digests."""
    both = [id_ for id_ in before if id_ in now]

    def differing(fact: Callable[[VideoDigest], object]) -> list[str]:
        return [id_ for id_ in both if fact(before[id_]) != fact(now[id_])]

    relabelled = [
        f"{id_} ({_tags(before[id_])}, now {_tags(now[id_])})"
        for id_ in differing(lambda video: video.labels)
    ]
    kinds = {
        "removed videos": [id_ for id_ in before if id_ not in now],
        "other tags": relabelled,
        "other features": differing(lambda video: video.features),
        "other durations": differing(lambda video: video.duration_s),
        "other times": [
            id_ for id_ in differing(lambda video: video.times) if before[id_].times is not None
        ],
    }
    altered = [f"{kind}: {_names(names)}" for kind, names in kinds.items() if names]
    return DataChange(_names(id_ for id_ in now if id_ not in before), "; ".join(altered))


def _tags(video: VideoDigest) -> str:
    return " + ".join(video.labels) or "no tag"


def _names(ids: Iterable[str]) -> str:
    """Returns the first names and the number of the others."""
    names = list(ids)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

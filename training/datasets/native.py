"""The native layout: annotations.json in ActivityNet's format and features/ID.npy, (T, D)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from features.extraction import known_origin
from features.extraction_worker import Origin
from model.errors import DataError
from model.spec import ExtractorIdentity
from training.datasets.annotations import Annotation, all_labels, read_annotations, video_set
from training.datasets.feature_files import NpyFile
from training.datasets.video_record import VideoRecord, VideoSet

EXPECTED = "annotations.json and features/ID.npy"
ANNOTATIONS, FEATURES = "annotations.json", "features"


def matches(folder: Path) -> bool:
    """Tells whether a folder has this layout."""
    return (folder / ANNOTATIONS).is_file() and (folder / FEATURES).is_dir()


def read(folder: Path) -> VideoSet:
    """Returns the videos of a folder; see `read_native`."""
    return read_native(folder / ANNOTATIONS, folder / FEATURES)


def read_native(annotations: Path, features: Path) -> VideoSet:
    """Returns the videos that the annotations name and whose features are there.

    Videos without a feature file are left out with a warning.

    Raises:
        DataError: the annotations cannot be read, or no video has features.
    """
    if not features.is_dir():
        raise DataError(f"no feature folder {features}; expected a folder of ID.npy files")
    return with_features(read_annotations(annotations), features, source=annotations)


def with_features(named: Sequence[Annotation], features: Path, *, source: Path) -> VideoSet:
    """Returns videos with their features from a folder of ID.npy files.

    Args:
        named: the videos.
        features: the folder. Where extraction left notes of what made them, the set says it, and
            its snippets' length tells how long they last; else the annotations do.
        source: where the videos were named, for messages.

    Raises:
        DataError: no video has features, or not all were made by the same extractor.
    """
    paths = {video.id: features / f"{video.id}.npy" for video in named}
    there = [video for video in named if paths[video.id].is_file()]
    origins = {video.id: known_origin(features, video.id) for video in there}
    videos = video_set(
        [_record(video, NpyFile(paths[video.id]), origins[video.id]) for video in there],
        [video.id for video in named if not paths[video.id].is_file()],
        all_labels(named),
        source=source,
        expected=f"{features}/ID.npy",
    )
    return replace(videos, extractor=_extractor(features, list(origins.values())))


def _record(video: Annotation, source: NpyFile, origin: Origin | None) -> VideoRecord:
    if origin is None:
        return video.record(source)
    return video.record(source, duration_s=source.load().shape[0] * origin.snippet_s)


def _extractor(features: Path, origins: Sequence[Origin | None]) -> ExtractorIdentity:
    """Returns what made features, as extraction noted it beside them.

    Raises:
        DataError: different extractors did.
    """
    known = {(origin.extractor, origin.extractor_sha256) for origin in origins if origin}
    if len(known) > 1 or (known and None in origins):
        names = sorted({origin.extractor if origin else "an unknown one" for origin in origins})
        raise DataError(
            f"{features}: features of different extractors, {', '.join(names)}; "
            "extract all videos with one"
        )
    return ExtractorIdentity(*known.pop()) if known else ExtractorIdentity()

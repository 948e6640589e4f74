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
    """Returns whether a folder has this layout."""
    return (folder / ANNOTATIONS).is_file() and (folder / FEATURES).is_dir()


def read(folder: Path) -> VideoSet:
    """Returns the videos of a folder; see `read_native`."""
    return read_native(folder / ANNOTATIONS, folder / FEATURES)


def read_native(annotations: Path, features: Path) -> VideoSet:
    """Returns the annotated videos that have features; leaves out the others with a warning.

    Args:
        annotations: File in ActivityNet's JSON format.
        features: Folder of ID.npy files.

    Raises:
        DataError: The annotations cannot be read, or no video has features.
    """
    if not features.is_dir():
        raise DataError(f"no feature folder {features}; expected a folder of ID.npy files")
    return with_features(read_annotations(annotations), features, source=annotations)


def with_features(annotations: Sequence[Annotation], features: Path, *, source: Path) -> VideoSet:
    """Returns the annotated videos that have features in a folder of ID.npy files.

    Extraction writes an ID.json beside the features. Where there is one, it gives the extractor
    and the length of a snippet, and the video lasts as long as its snippets. Elsewhere, the
    annotated duration counts.

    Args:
        annotations: Videos and their labels.
        features: Folder of the features.
        source: Path of the annotations, for messages.

    Raises:
        DataError: No video has features, or the features are of several extractors.
    """
    paths = {video.id: features / f"{video.id}.npy" for video in annotations}
    present = [video for video in annotations if paths[video.id].is_file()]
    origins = {video.id: known_origin(features, video.id) for video in present}
    videos = video_set(
        [_record(video, NpyFile(paths[video.id]), origins[video.id]) for video in present],
        [video.id for video in annotations if not paths[video.id].is_file()],
        all_labels(annotations),
        source=source,
        expected=f"{features}/ID.npy",
    )
    return replace(videos, extractor=_extractor(features, list(origins.values())))


def _record(video: Annotation, source: NpyFile, origin: Origin | None) -> VideoRecord:
    if origin is None:
        return video.record(source)
    return video.record(source, duration_s=source.load().shape[0] * origin.snippet_s)


def _extractor(features: Path, origins: Sequence[Origin | None]) -> ExtractorIdentity:
    """Returns the extractor of the features; an unknown one where no ID.json names it.

    Raises:
        DataError: The features are of several extractors.
    """
    known = {(origin.extractor, origin.extractor_sha256) for origin in origins if origin}
    if len(known) > 1 or (known and None in origins):
        names = sorted({origin.extractor if origin else "an unknown one" for origin in origins})
        raise DataError(
            f"{features}: features of several extractors, {', '.join(names)}; "
            "extract all videos with the same one"
        )
    return ExtractorIdentity(*known.pop()) if known else ExtractorIdentity()

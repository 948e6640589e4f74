"""The native layout: annotations.json in ActivityNet's format and features/ID.npy, (T, D)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from features.extraction import known_origin
from features.extraction_worker import Origin
from features.video_ids import match_ids
from model.errors import DataError
from model.spec import ExtractorIdentity
from training.datasets.annotations import Annotation, read_annotations
from training.datasets.assembly import assemble
from training.datasets.feature_clock import FeatureRate
from training.datasets.feature_files import NpyFile
from training.datasets.video_record import VideoSet

EXPECTED = "annotations.json and features/ID.npy"
ANNOTATIONS, FEATURES = "annotations.json", "features"


def matches(folder: Path) -> bool:
    """Returns whether a folder has this layout."""
    return (folder / ANNOTATIONS).is_file() and (folder / FEATURES).is_dir()


def read(folder: Path, rate: FeatureRate | None = None) -> VideoSet:
    """Returns the videos of a folder; see `read_native`."""
    return read_native(folder / ANNOTATIONS, folder / FEATURES, rate)


def read_native(annotations: Path, features: Path, rate: FeatureRate | None = None) -> VideoSet:
    """Returns the annotated videos that have features; leaves out the others with a warning.

    Args:
        annotations: File in ActivityNet's JSON format.
        features: Folder of ID.npy files.
        rate: Rate of the features, for annotations without durations.

    Raises:
        DataError: The annotations cannot be read, or no video has features.
    """
    if not features.is_dir():
        raise DataError(f"no feature folder {features}; expected a folder of ID.npy files")
    return with_features(read_annotations(annotations), features, source=annotations, rate=rate)


def with_features(
    annotations: Sequence[Annotation],
    features: Path,
    *,
    source: Path,
    rate: FeatureRate | None = None,
) -> VideoSet:
    """Returns the annotated videos that have features in a folder of ID.npy files.

    Extraction writes an ID.json beside the features. Where there is one, it gives the extractor
    and the length of a snippet, and the video lasts as long as its snippets. Elsewhere, the
    rate counts if it is given, else the annotated duration.

    Args:
        annotations: Videos and their labels.
        features: Folder of the features.
        source: Path of the annotations, for messages.
        rate: Rate of features that extraction did not write.

    Raises:
        DataError: No video has features, or the features are of several extractors.
    """
    files = sorted(path.relative_to(features) for path in features.rglob("*.npy"))
    names = {file.with_suffix("").as_posix() for file in files}
    name_of = match_ids([video.id for video in annotations], names)
    origins = {id_: known_origin(features, name) for id_, name in name_of.items()}
    clocks = {id_: origin.snippet_s for id_, origin in origins.items() if origin}
    if rate is not None:
        clocks = dict.fromkeys(name_of, rate.snippet_s) | clocks
    videos = assemble(
        annotations,
        {id_: NpyFile(features / f"{name}.npy") for id_, name in name_of.items()},
        source=source,
        expected=f"{features}/ID.npy",
        snippet_s=clocks,
        unnamed=sorted(names - set(name_of.values())),
    )
    return replace(videos, extractor=_extractor(features, list(origins.values())))


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

"""Assembly of a data set from the annotations and the feature files of any layout."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from model.errors import DataError, FeatureError
from training.datasets.annotations import Annotation, all_labels
from training.datasets.feature_clock import clock_problem
from training.datasets.feature_files import FeatureSource, snippets_first
from training.datasets.labels import class_remarks
from training.datasets.video_record import VideoRecord, VideoSet

_log = logging.getLogger(__name__)

NAMED = 5
"""Videos and remarks that a warning names; more are only counted."""


def assemble(
    annotations: Sequence[Annotation],
    sources: Mapping[str, FeatureSource],
    *,
    source: Path,
    expected: str,
    snippet_s: Mapping[str, float] | float | None = None,
    unnamed: Sequence[str] = (),
    classes: Sequence[str] | None = None,
) -> VideoSet:
    """Returns the annotated videos that have features, and warns of what is left out.

    A video lasts as long as its snippets where their length is known, else as long as annotated.

    Args:
        annotations: Videos and their labels.
        sources: Locations of the features, by id of the video.
        source: Path that the videos were read from.
        expected: Files that contain the features, for the error message.
        snippet_s: Seconds of a snippet, of all videos or by id; None where durations are annotated.
        unnamed: Files of features that no annotation names.
        classes: Classes in the order of the layout; the labels of all annotations if not given. As
            the labels of missing videos count, the network does not depend on the files present.

    Raises:
        DataError: No video has features, there is no label, or a video has no length.
    """
    missing = [one.id for one in annotations if one.id not in sources]
    _require_features(annotations, missing, source, expected)
    turned = snippets_first(sources)
    names = _subset_names(annotations)
    used = [one for one in annotations if one.is_readable and one.id in sources]
    videos = tuple(_record(one, names, turned or sources, snippet_s) for one in used)
    classes = all_labels(annotations) if classes is None else classes
    _require_labels(videos, classes, source)
    remarks = _remarks(annotations, videos, classes, names, is_turned=turned is not None,
                       has_rate=bool(snippet_s))  # fmt: skip
    result = VideoSet(videos, tuple(classes), str(source), remarks=tuple(remarks),
                      missing=tuple(missing), unnamed=tuple(unnamed))  # fmt: skip
    _warn(result)
    return result


def _require_features(
    annotations: Sequence[Annotation], missing: Sequence[str], source: Path, expected: str
) -> None:
    if len(missing) == len(annotations):
        example = f", for instance of {missing[0]!r}" if missing else ""
        raise DataError(
            f"{source}: none of {len(annotations)} videos has features; "
            f"expected {expected}{example}"
        )


def _require_labels(videos: Sequence[VideoRecord], classes: Sequence[str], source: Path) -> None:
    if not classes:
        raise DataError(f"{source}: no video has a label")
    if not videos:
        raise DataError(f"{source}: no video with features has readable labels")


def _record(
    annotation: Annotation,
    subset_names: Mapping[str, str],
    sources: Mapping[str, FeatureSource],
    snippet_s: Mapping[str, float] | float | None,
) -> VideoRecord:
    source = sources[annotation.id]
    own_s = snippet_s.get(annotation.id) if isinstance(snippet_s, Mapping) else snippet_s
    duration_s = annotation.duration_s if own_s is None else _snippets(source) * own_s
    if duration_s is None:
        raise DataError(
            f"video {annotation.id!r}: expected a duration in seconds, or --feature-fps"
        )
    return VideoRecord(
        annotation.id,
        subset_names.get(annotation.subset, annotation.subset),
        duration_s,
        annotation.labels,
        annotation.instances,
        source,
        None if own_s is None else annotation.duration_s,
        untimed=annotation.untimed,
    )


def _snippets(source: FeatureSource) -> int:
    """Returns the number of snippets; 1 for a damaged file, which is an error where it is used."""
    try:
        return max(len(source.load()), 1)
    except FeatureError:
        return 1


def _subset_names(annotations: Sequence[Annotation]) -> dict[str, str]:
    """Returns other names of subsets: THUMOS14 without `training` learns from `validation`."""
    subsets = {one.subset for one in annotations}
    learns_from_validation = {"validation", "test"} <= subsets and "training" not in subsets
    return {"validation": "training"} if learns_from_validation else {}


def _remarks(
    annotations: Sequence[Annotation],
    videos: Sequence[VideoRecord],
    classes: Sequence[str],
    names: Mapping[str, str],
    *,
    is_turned: bool,
    has_rate: bool,
) -> list[str]:
    remarks = [f"there is no subset 'training', so {old!r} is learned from" for old in names]
    if is_turned:
        remarks.append("features are stored as (channels, snippets), and are transposed")
    if problem := clock_problem(videos, has_rate=has_rate):
        remarks.append(problem)
    remarks += class_remarks(classes)
    for one in annotations:
        remarks += one.remarks
        if not one.is_readable:
            remarks.append(f"video {one.id!r}: left out, because its labels are unknown")
    return remarks


def _warn(videos: VideoSet) -> None:
    total = len(videos.videos) + len(videos.missing)
    if videos.missing:
        names = ", ".join(videos.missing[:NAMED]) + ", ..." * (len(videos.missing) > NAMED)
        count = f"{len(videos.missing)} of {total}"
        _log.warning(
            "%s videos of %s have no features and are left out: %s", count, videos.source, names
        )
    for remark in videos.remarks[:NAMED]:
        _log.warning("%s: %s", videos.source, remark)
    if len(videos.remarks) > NAMED:
        _log.warning(
            "%s: %d more remarks; ecm check lists them",
            videos.source,
            len(videos.remarks) - NAMED,
        )

"""Contents of a data set, what would stop training on it, and what is worth a remark."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from model.errors import DataError
from training.data_digest import DataDigest, same_features, video_digest
from training.datasets.video_record import VideoProgress, VideoRecord, VideoSet

END_TOLERANCE_S = 1.0
"""A segment may end this much after its video, because many annotations round durations."""


@dataclass(frozen=True, slots=True)
class Use:
    """The part of a data set that training uses."""

    training: str = "training"
    """Subset to learn from."""
    validation: str = "validation"
    """Subset whose tags choose the best epoch; it may be absent."""
    unlabelled: bool = False
    """Whether training uses videos without any label."""


@dataclass(slots=True)
class SubsetReport:
    """Contents of one subset."""

    videos: int = 0
    """Videos with features."""
    unlabelled: int = 0
    """Videos without any label."""
    seconds: float = 0.0
    """Total length of the videos."""
    instances: int = 0
    """Instances with annotated times."""
    snippets: int = 0
    """Snippets of the videos whose features can be used."""
    videos_by_class: Counter[str] = field(default_factory=Counter)
    """Number of videos that show each class."""
    digests: DataDigest = field(default_factory=dict)
    """Digest of each video whose features can be used."""


@dataclass(slots=True)
class DataReport:
    """Contents of a data set."""

    subsets: dict[str, SubsetReport] = field(default_factory=dict)
    """Contents of each subset, by its name."""
    videos_by_channels: Counter[int] = field(default_factory=Counter)
    """Number of videos with each number of feature channels."""
    problems: list[str] = field(default_factory=list)
    """Faults that would stop training, a sentence each."""
    remarks: list[str] = field(default_factory=list)
    """Peculiarities that would not stop training, a sentence each."""


def inspect_data(
    videos: VideoSet, use: Use | None = None, *, progress: VideoProgress = iter
) -> DataReport:
    """Returns the contents of a data set. Reads every feature file, one at a time.

    Args:
        videos: The data set.
        use: Part of it that training uses.
        progress: Wraps the iteration over the videos, to show a progress bar.
    """
    use = use or Use()
    report = DataReport(remarks=list(videos.remarks))
    used_channels: Counter[int] = Counter()
    for video in progress(videos.videos):
        subset = report.subsets.setdefault(video.subset, SubsetReport())
        _count(video, subset)
        report.remarks += _annotation_remarks(video)
        try:
            snippets, channels = video.features().shape
        except DataError as error:
            (report.problems if _is_used(video, use) else report.remarks).append(str(error))
            continue
        subset.digests[video.id] = video_digest(video)
        subset.snippets += snippets
        report.videos_by_channels[channels] += 1
        used_channels[channels] += _is_used(video, use)
    if len(+used_channels) > 1:
        report.problems.append(f"features differ in width: {dict(used_channels)}")
    elif len(report.videos_by_channels) > 1:
        report.remarks.append(f"features differ in width: {dict(report.videos_by_channels)}")
    report.problems += _subset_problems(videos, report, use)
    report.remarks += [*_unseen_classes(report, use), *_twins(report, use)]
    return report


def _count(video: VideoRecord, subset: SubsetReport) -> None:
    subset.videos += 1
    subset.unlabelled += not video.labels
    subset.seconds += video.duration_s
    subset.instances += len(video.instances)
    subset.videos_by_class.update(video.labels)


def _is_used(video: VideoRecord, use: Use) -> bool:
    is_learned = video.subset == use.training and (use.unlabelled or bool(video.labels))
    return is_learned or video.subset == use.validation


def _annotation_remarks(video: VideoRecord) -> Iterator[str]:
    for start_s, end_s, label, _ in video.instances:
        segment = f"video {video.id}: {label} [{start_s}, {end_s}]"
        if not start_s < end_s:
            yield f"{segment} does not end after its start"
        elif start_s < 0 or end_s > video.duration_s + END_TOLERANCE_S:
            yield f"{segment} lies outside the video of {video.duration_s:.2f} s"
    timed, labels = {instance.label for instance in video.instances}, set(video.labels)
    if not timed <= labels:
        foreign = sorted(timed - labels)
        yield f"video {video.id}: has segments of {foreign}, which are not its labels"
    elif timed and timed != labels:
        yield f"video {video.id}: no segment of {sorted(labels - timed)}"


def _subset_problems(videos: VideoSet, report: DataReport, use: Use) -> Iterator[str]:
    learned = report.subsets.get(use.training)
    if learned is None:
        yield f"no subset {use.training!r}; there are {sorted(report.subsets)}"
        return
    if not learned.videos_by_class:
        yield f"no video of subset {use.training!r} has a label"
    if use.validation in report.subsets:
        try:
            videos.subset(use.training).require_apart(videos.subset(use.validation))
            same_features(learned.digests, report.subsets[use.validation].digests)
        except DataError as error:
            yield str(error)


def _twins(report: DataReport, use: Use) -> Iterator[str]:
    """Yields a remark on each subset with videos that are training videos under another id."""
    learned = report.subsets.get(use.training, SubsetReport())
    for name, subset in report.subsets.items():
        with suppress(DataError):  # a problem where it stops training
            if name != use.training and (
                sentence := same_features(learned.digests, subset.digests)
            ):
                yield f"subset {name!r}: {sentence}"


def _unseen_classes(report: DataReport, use: Use) -> Iterator[str]:
    learned = report.subsets.get(use.training, SubsetReport())
    for name, subset in report.subsets.items():
        if unseen := sorted(set(subset.videos_by_class) - set(learned.videos_by_class)):
            yield f"subset {name!r} has {unseen}, which no training video shows"

"""Contents of a data set, and its problems."""

from collections import Counter
from dataclasses import dataclass, field

from model.errors import DataError
from training.datasets.video_record import VideoProgress, VideoRecord, VideoSet

END_TOLERANCE_S = 1.0
"""A segment may end this much after its video, because many annotations round durations."""


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


@dataclass(slots=True)
class DataReport:
    """Contents of a data set."""

    subsets: dict[str, SubsetReport] = field(default_factory=dict)
    """Contents of each subset, by its name."""
    videos_by_channels: Counter[int] = field(default_factory=Counter)
    """Number of videos with each number of feature channels. Training needs one number."""
    problems: list[str] = field(default_factory=list)
    """Problems, a sentence each."""


def inspect_data(videos: VideoSet, *, progress: VideoProgress = iter) -> DataReport:
    """Returns the contents of a data set. Reads every feature file, one at a time."""
    report = DataReport()
    for video in progress(videos.videos):
        subset = report.subsets.setdefault(video.subset, SubsetReport())
        subset.videos += 1
        subset.unlabelled += not video.labels
        subset.seconds += video.duration_s
        subset.instances += len(video.instances)
        subset.videos_by_class.update(video.labels)
        report.problems += _annotation_problems(video)
        try:
            snippets, channels = video.features().shape
        except DataError as error:
            report.problems.append(str(error))
            continue
        subset.snippets += snippets
        report.videos_by_channels[channels] += 1
    if len(report.videos_by_channels) > 1:
        report.problems.append(f"features differ in width: {dict(report.videos_by_channels)}")
    report.problems += _unlearnable_classes(report)
    return report


def _annotation_problems(video: VideoRecord) -> list[str]:
    problems = []
    for start_s, end_s, label, _ in video.instances:
        segment = f"video {video.id}: {label} [{start_s}, {end_s}]"
        if not start_s < end_s:
            problems.append(f"{segment} does not end after its start")
        elif start_s < 0 or end_s > video.duration_s + END_TOLERANCE_S:
            problems.append(f"{segment} lies outside the video of {video.duration_s:.2f} s")
    timed, labels = {instance.label for instance in video.instances}, set(video.labels)
    if not timed <= labels:
        problems.append(
            f"video {video.id}: has segments of {sorted(timed - labels)}, which are not its labels"
        )
    elif timed and timed != labels:
        problems.append(f"video {video.id}: no segment of {sorted(labels - timed)}")
    return problems


def _unlearnable_classes(report: DataReport) -> list[str]:
    learned = report.subsets.get("training")
    if learned is None:
        return [f"no subset 'training'; there are {sorted(report.subsets)}"]
    unseen = {
        name: sorted(set(subset.videos_by_class) - set(learned.videos_by_class))
        for name, subset in report.subsets.items()
    }
    return [
        f"subset {name!r} has {classes}, which no training video shows"
        for name, classes in unseen.items()
        if classes
    ]

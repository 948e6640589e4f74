"""What a data set holds, and what is wrong with it."""

from collections import Counter
from dataclasses import dataclass, field

from model.arrays import check_features
from model.errors import FeatureError
from training.datasets.video_record import VideoProgress, VideoRecord, VideoSet

END_TOLERANCE_S = 1.0
"""A segment may end this much after the video: durations are rounded in many annotations."""


@dataclass(slots=True)
class SubsetReport:
    """What one subset holds."""

    videos: int = 0
    """Videos with features."""
    unlabelled: int = 0
    """Those without any label."""
    seconds: float = 0.0
    """Their length together."""
    instances: int = 0
    """Timed instances."""
    snippets: int = 0
    """Snippets of the videos that can be read."""
    videos_by_class: Counter[str] = field(default_factory=Counter)
    """How many videos show each class."""


@dataclass(slots=True)
class DataReport:
    """What a data set holds."""

    subsets: dict[str, SubsetReport] = field(default_factory=dict)
    """By name."""
    videos_by_channels: Counter[int] = field(default_factory=Counter)
    """How many videos have features of each width; more than one width cannot be trained on."""
    problems: list[str] = field(default_factory=list)
    """What is wrong, a sentence each."""


def inspect_data(videos: VideoSet, *, progress: VideoProgress = iter) -> DataReport:
    """Returns what a data set holds; reads every feature file, one at a time."""
    report = DataReport()
    for video in progress(videos.videos):
        subset = report.subsets.setdefault(video.subset, SubsetReport())
        subset.videos += 1
        subset.unlabelled += not video.labels
        subset.seconds += video.duration_s
        subset.instances += len(video.instances)
        subset.videos_by_class.update(video.labels)
        report.problems += _problems(video)
        try:
            shape = check_features(video.features()).shape
        except FeatureError as error:
            report.problems.append(f"{video.id}: {error}")
            continue
        subset.snippets += shape[0]
        report.videos_by_channels[shape[1]] += 1
    if len(report.videos_by_channels) > 1:
        report.problems.append(f"features differ in width: {dict(report.videos_by_channels)}")
    report.problems += _unlearnable(report)
    return report


def _problems(video: VideoRecord) -> list[str]:
    problems = []
    for start_s, end_s, label, _ in video.instances:
        segment = f"{video.id}: {label} [{start_s}, {end_s}]"
        if not start_s < end_s:
            problems.append(f"{segment} does not end after its start")
        elif start_s < 0 or end_s > video.duration_s + END_TOLERANCE_S:
            problems.append(f"{segment} lies outside the video of {video.duration_s:.2f} s")
    timed = {instance.label for instance in video.instances}
    if not timed <= set(video.labels):
        problems.append(f"{video.id}: segments of {sorted(timed - set(video.labels))}, not labels")
    elif timed and timed != set(video.labels):
        problems.append(f"{video.id}: no segment of {sorted(set(video.labels) - timed)}")
    return problems


def _unlearnable(report: DataReport) -> list[str]:
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

"""The options that name a data set."""

import logging
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from features.extraction import FlowDevice, find_videos
from features.extractors import MOTION
from model.errors import DataError, OptionError
from training.commands.extract import FlowDeviceOption, extract_under_bar, failure_lines
from training.commands.options import DATA
from training.datasets.annotations import read_annotations
from training.datasets.native import read_native, with_features
from training.datasets.opening import open_data
from training.datasets.tags import read_tags
from training.datasets.video_record import VideoSet

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Options that name a data set: a folder, or labels with features or videos."""

    data: Path | None = None
    """Folder of a data set in a known layout (docs/data.md)."""
    annotations: Path | None = None
    """Labels in ActivityNet's JSON format."""
    tags: Path | None = None
    """Labels as a CSV file with the columns video and label."""
    features: Path | None = None
    """Folder of ID.npy files, each (snippets, channels). With --videos, the folder to which
    features are written; VIDEOS.EXTRACTOR if not given."""
    videos: Path | None = None
    """Folder of video files, in place of features."""
    extractor: str = MOTION
    """Extractor of the features of --videos: motion, or a file NAME.onnx."""
    flow_device: FlowDeviceOption = "auto"
    """Device that computes TV-L1 flow; auto is a GPU if there is one."""

    def command_line(self) -> str:
        """Returns the options as a user types them."""
        chosen = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        return " ".join(
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
            for name, value in chosen.items()
        )

    def read(self) -> VideoSet:
        """Returns the data set. Features of videos are computed where they are missing.

        Raises:
            OptionError: the options name no data set, or two.
            DataError: the data set cannot be read.
        """
        labels = self.annotations or self.tags
        if self.data and not (labels or self.features or self.videos):
            return open_data(self.data)
        one_kind = bool(self.annotations) != bool(self.tags)
        if labels and one_kind and not self.data and self.videos:
            return read_videos(
                labels, self.videos, self.features, self.extractor, flow_device=self.flow_device
            )
        if self.annotations and one_kind and not self.data and self.features:
            return read_native(self.annotations, self.features)
        raise OptionError(
            "expected --data DIR, or --annotations FILE with --features DIR, or --videos DIR with "
            "--tags FILE or --annotations FILE"
        )


Data: TypeAlias = Annotated[DataOptions, Parameter(name="*", group=DATA)]
"""The options as a parameter of a command."""
NO_DATA = DataOptions()
"""Default of the parameter. It names no data set, so `read` rejects it."""


def read_videos(
    labels: Path,
    videos: Path,
    features: Path | None,
    extractor: str,
    *,
    flow_device: FlowDevice,
) -> VideoSet:
    """Returns the labelled videos of a folder, with their features.

    Features that are missing are computed. Videos that cannot be read are left out with a warning.

    Raises:
        DataError: the labels cannot be read, or no video has features.
        OptionError, DeviceError: as `features.extraction.extract` does.
    """
    labelled = read_tags(labels) if labels.suffix == ".csv" else read_annotations(labels)
    features = features or videos.with_name(f"{videos.name}.{Path(extractor).stem}")
    files = find_videos(videos)
    wanted = {video.id: files[video.id] for video in labelled if video.id in files}
    if not wanted:
        raise DataError(
            f"{labels} names none of the {len(files)} videos below {videos}, for instance "
            f"{next(iter(files))!r}"
        )
    outcomes = extract_under_bar(wanted, features, extractor, flow_device=flow_device)
    if failed := failure_lines(wanted, outcomes):
        _log.warning("videos that cannot be read:\n%s", failed)
    return with_features(labelled, features, source=labels)

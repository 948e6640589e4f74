"""The options that name a data set."""

import logging
import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from features.extraction import FlowDevice, find_videos
from features.extractors import MOTION
from features.video_ids import match_ids
from model.errors import DataError, OptionError
from training.commands.extract import FlowDeviceOption, extract_under_bar, failure_lines
from training.commands.options import DATA, RARE_DATA
from training.datasets.ambiguous import read_ambiguous
from training.datasets.annotations import read_annotations
from training.datasets.corrections import corrected, read_corrections
from training.datasets.feature_clock import FeatureRate
from training.datasets.layouts.native import read_native, with_features
from training.datasets.opening import open_data
from training.datasets.tags import read_tags
from training.datasets.video_record import VideoSet

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Options that name a data set: a folder, or labels with features or videos."""

    data: Path | None = None
    """Folder of a data set in a known layout (docs/reference/data.md)."""
    annotations: Path | None = None
    """Labels in ActivityNet's JSON format."""
    tags: Path | None = None
    """Labels as a CSV file with the columns video and label."""
    corrections: Path | None = None
    """Corrected videos in ActivityNet's JSON format, a file or a folder of files. Their entries
    replace the labels of the same videos."""
    features: Path | None = None
    """Folder of ID.npy files, each (snippets, channels). With --videos, the folder to which
    features are written; VIDEOS.EXTRACTOR if not given."""
    videos: Path | None = None
    """Folder of video files, in place of features."""
    extractor: str = MOTION
    """Extractor of the features of --videos: motion, or a file NAME.onnx."""
    flow_device: FlowDeviceOption = "auto"
    """Device that computes TV-L1 flow; auto is a GPU if there is one."""
    feature_fps: Annotated[float | None, Parameter(group=RARE_DATA)] = None
    """Frames per second at which features were extracted, 25 in the layouts of BaS-Net and
    W-TALC. Elsewhere, features last as long as annotated if this is not given."""
    feature_stride: Annotated[int | None, Parameter(group=RARE_DATA)] = None
    """Frames from the start of one snippet to the start of the next, 16 if not given."""
    exclude_labels: Annotated[
        tuple[str, ...], Parameter(group=RARE_DATA, negative="", consume_multiple=True)
    ] = ()
    """Classes to leave out, with their segments, and the videos that show no other class."""

    def command_line(self) -> str:
        """Returns the options as a user types them."""
        chosen = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        return " ".join(
            f"--{name.replace('_', '-')} {shlex.join(map(str, _words(value)))}"
            for name, value in chosen.items()
        )

    def read(self, ambiguous: Path | None = None) -> VideoSet:
        """Returns the data set. Features of videos are computed where they are missing.

        Args:
            ambiguous: file with undecided times of the videos; see datasets/ambiguous.py.

        Raises:
            OptionError: the options name no data set, or two.
            DataError: the data set cannot be read.
        """
        videos = self._read()
        if self.corrections:
            videos = corrected(videos, read_corrections(self.corrections), self.corrections)
        if self.exclude_labels:
            videos = videos.without_labels(self.exclude_labels)
        if ambiguous:
            videos = videos.with_ambiguous(read_ambiguous(ambiguous, videos.ids))
        return videos

    def _read(self) -> VideoSet:
        labels = self.annotations or self.tags
        if self.data and not (labels or self.features or self.videos):
            return open_data(self.data, self._rate())
        one_kind = bool(self.annotations) != bool(self.tags)
        if labels and one_kind and not self.data and self.videos:
            return read_videos(
                labels, self.videos, self.features, self.extractor, flow_device=self.flow_device
            )
        if self.annotations and one_kind and not self.data and self.features:
            return read_native(self.annotations, self.features, self._rate())
        raise OptionError(
            "expected --data DIR, or --annotations FILE with --features DIR, or --videos DIR with "
            "--tags FILE or --annotations FILE"
        )

    def _rate(self) -> FeatureRate | None:
        """Returns the rate of the features; None where the options leave it to the layout."""
        given = {"fps": self.feature_fps, "stride_frames": self.feature_stride}
        chosen = {name: value for name, value in given.items() if value is not None}
        return FeatureRate(**chosen) if chosen else None  # type: ignore[arg-type] # by name


def _words(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


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
    names = set(match_ids([video.id for video in labelled], files).values())
    wanted = {name: path for name, path in files.items() if name in names}
    if not wanted:
        raise DataError(
            f"{labels} names none of the {len(files)} videos below {videos}, for instance "
            f"{next(iter(files))!r}"
        )
    outcomes = extract_under_bar(wanted, features, extractor, flow_device=flow_device)
    if failed := failure_lines(wanted, outcomes):
        _log.warning("videos that cannot be read:\n%s", failed)
    unnamed = tuple(name for name in files if name not in names)
    return replace(with_features(labelled, features, source=labels), unnamed=unnamed)

"""Options of one call of `localize`, and its progress; the same in a process and over HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict


class Options(TypedDict, total=False):
    """Options of one call; absent or None means the default of the model."""

    duration_s: float | None
    """Length of the features in seconds. Not for videos, which have a clock of their own."""
    snippet_s: float | None
    """Length of one snippet in seconds, as an alternative to `duration_s`."""
    class_threshold: float | None
    """Classes with a lower class score are not localized; 0 to 1."""
    nms_iou: float | None
    """Greedy NMS at this tIoU, 0 to 1, instead of the suppression that the model prefers."""
    min_score: float | None
    """Segments with a lower score are left out."""
    max_segments: int | None
    """Largest number of segments; the best are kept."""
    include: Literal["cas"] | None
    """`cas` adds the class activation sequence to the result."""


class ServiceOptions(Options, total=False):
    """Options of one call to a service."""

    model: str | None
    """Name of the model. Optional where the service has one model or a default."""
    version: int | None
    """Version of the model; the newest by default."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the work on one video."""

    stage: Literal["upload", "queued", "running"]
    """Current stage: the upload, waiting for a worker, or the extraction of features."""
    done: int = 0
    """Bytes sent during the upload; snippets extracted afterwards."""
    total: int | None = None
    """Bytes of the file, or snippets of the video; None if unknown."""
    seconds_left: float | None = None
    """Estimated time to the end; None if unknown."""

    def __str__(self) -> str:
        if self.stage == "queued":
            return "queued"
        share = f"{self.done / self.total:.0%}" if self.total else str(self.done)
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        return f"{'upload' if self.stage == 'upload' else 'features'} {share}{left}"


OnProgress: TypeAlias = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """Does nothing; the default of `on_progress`."""

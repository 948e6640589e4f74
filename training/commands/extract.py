"""`ecm extract`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter
from tqdm import tqdm

from features.extraction import FlowDevice, Outcome, find_videos
from features.extraction import extract as extract_all
from features.extractors import MOTION
from model.errors import DataError
from training.commands.options import DATA, RARE_DATA

FlowDeviceOption: TypeAlias = Annotated[FlowDevice, Parameter(group=RARE_DATA)]
"""Where TV-L1 flow is computed, as an option."""


def extract(
    videos: Path,
    /,
    *,
    out: Annotated[Path, Parameter(group=DATA)],
    extractor: Annotated[str, Parameter(group=DATA)] = MOTION,
    workers: Annotated[int | None, Parameter(group=DATA)] = None,
    flow_device: FlowDeviceOption = "auto",
) -> None:
    """Computes the features of the videos in a folder.

    Args:
        videos: Folder of videos. Videos in its subfolders count.
        out: Folder of the ID.npy files.
        extractor: Extractor of the features: motion, or a file NAME.onnx.
        workers: Videos at the same time. Without it, as many as cores, or one with flow on a GPU.
        flow_device: Device that computes TV-L1 flow; auto is a GPU if there is one.

    Raises:
        DataError: there is no video, or some videos have no features.
    """
    files = find_videos(videos)
    outcomes = extract_under_bar(files, out, extractor, workers=workers, flow_device=flow_device)
    failed = sum(outcome.failure is not None for outcome in outcomes)
    extracted = sum(outcome.snippets > 0 for outcome in outcomes)
    up_to_date = len(outcomes) - extracted - failed
    print(f"{out}: {extracted} videos extracted, {up_to_date} up to date, {failed} failed")
    if failed:
        raise DataError(
            f"{failed} of {len(files)} videos have no features:\n{failure_lines(files, outcomes)}"
        )
    print(f"next: ecm fit --annotations FILE --features {out} --out runs/mine")


def extract_under_bar(
    videos: Mapping[str, Path],
    features: Path,
    extractor: str,
    *,
    workers: int | None = None,
    flow_device: FlowDevice = "auto",
) -> list[Outcome]:
    """Extracts the missing features under a progress bar; see `features.extraction.extract`."""
    with _Bar(total=len(videos), disable=None, bar_format=_BAR) as bar:
        outcomes = []
        work = extract_all(
            videos, features, extractor=extractor, workers=workers, flow_device=flow_device
        )
        for outcome in work:
            outcomes.append(outcome)
            bar.update()
    return outcomes


def failure_lines(videos: Mapping[str, Path], outcomes: Sequence[Outcome]) -> str:
    """Returns a line with the reason for each video that failed."""
    failed = sorted((o for o in outcomes if o.failure is not None), key=lambda o: o.id)
    return "\n".join(f"  {videos[o.id]}: {o.failure}" for o in failed)


class _Bar(tqdm):  # type: ignore[misc] # it comes without types
    """A bar that shows videos per minute."""

    @property
    def format_dict(self) -> Mapping[str, Any]:
        shown = dict(super().format_dict)
        rate = shown["rate"] or (shown["n"] / shown["elapsed"] if shown["elapsed"] else 0)
        return shown | {"per_minute": f"{60 * rate:.1f}"}


_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {per_minute} videos/min]"

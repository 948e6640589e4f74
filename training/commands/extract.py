"""compute the features of a folder of videos; goes on where an earlier run stopped"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from features.extraction import FlowDevice, Outcome, extract, find_videos
from features.extractors import MOTION
from model.errors import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument("videos", type=Path, help="folder of videos; those in its folders count")
    parser.add_argument("--out", type=Path, required=True, help="folder of the ID.npy files")
    parser.add_argument(
        "--extractor", default=MOTION, help="what computes them: motion, or a file NAME.onnx"
    )
    parser.add_argument(
        "--workers", type=int,
        help="videos at the same time; as many as cores if not given, one with flow on a GPU",
    )  # fmt: skip
    add_flow_device(parser)


def add_flow_device(parser: argparse.ArgumentParser) -> None:
    """Adds where TV-L1 flow is computed."""
    parser.add_argument(
        "--flow-device", default="auto", choices=get_args(FlowDevice),
        help="what computes TV-L1 flow for extractors that see it; auto: a GPU if there is one",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Runs this command."""
    videos = find_videos(arguments.videos)
    outcomes = extract_under_bar(
        videos,
        arguments.out,
        arguments.extractor,
        workers=arguments.workers,
        flow_device=arguments.flow_device,
    )
    failed = sum(outcome.failure is not None for outcome in outcomes)
    done = sum(outcome.snippets > 0 for outcome in outcomes)
    there = len(outcomes) - done - failed
    print(f"{arguments.out}: {done} videos extracted, {there} up to date, {failed} failed")
    if failed:
        raise DataError(
            f"{failed} of {len(videos)} videos have no features:\n{reasons(videos, outcomes)}"
        )


def extract_under_bar(
    videos: Mapping[str, Path],
    features: Path,
    extractor: str,
    *,
    workers: int | None = None,
    flow_device: FlowDevice = "auto",
) -> list[Outcome]:
    """Extracts what is missing under a progress bar; see `features.extraction.extract`."""
    with _Bar(total=len(videos), disable=None, bar_format=_BAR) as bar:
        outcomes = []
        work = extract(
            videos, features, extractor=extractor, workers=workers, flow_device=flow_device
        )
        for outcome in work:
            outcomes.append(outcome)
            bar.update()
    return outcomes


def reasons(videos: Mapping[str, Path], outcomes: Sequence[Outcome]) -> str:
    """Returns a line for each video that failed."""
    failed = sorted((o for o in outcomes if o.failure is not None), key=lambda o: o.id)
    return "\n".join(f"  {videos[o.id]}: {o.failure}" for o in failed)


class _Bar(tqdm):  # type: ignore[misc] # it comes without types
    """A bar that tells videos a minute."""

    @property
    def format_dict(self) -> Mapping[str, Any]:
        shown = dict(super().format_dict)
        rate = shown["rate"] or (shown["n"] / shown["elapsed"] if shown["elapsed"] else 0)
        return shown | {"a_minute": f"{60 * rate:.1f}"}


_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {a_minute} videos/min]"

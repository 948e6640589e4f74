"""Extraction of a folder of videos to a folder of features, in parallel and resumable.

Beside each ID.npy, an ID.json records its origin. A video whose origin is unchanged is not
extracted again. Workers compute and this process alone writes, so a worker that outlives it writes
nothing.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter, ValidationError

from features.extraction_worker import (
    Extracted,
    ExtractorChoice,
    Origin,
    VideoExtraction,
    VideoResult,
    VideoTask,
)
from features.extractors import Extractor, open_extractor, uses_tvl1
from features.worker_pool import WorkerPool
from model.errors import DataError, DeviceError, LocalizerError, OptionError
from model.inference.cores import cores
from model.whole_file import whole_file

FlowDevice: TypeAlias = Literal["auto", "cpu", "cuda"]
"""Device of TV-L1 flow: OpenCV on the CPU, or torch on a CUDA GPU. `auto` uses a GPU if there is
one."""

SUFFIXES = (
    ".3g2", ".3gp", ".apng", ".asf", ".avi", ".dav", ".divx", ".dv", ".f4v", ".flv", ".gif",
    ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg",
    ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogv", ".qt",
    ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".xvid", ".y4m",
)  # fmt: skip
"""Suffixes of video files; other files are ignored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one video."""

    id: str
    """Id of the video: its path below the folder of videos, without the suffix."""
    failure: str | None = None
    """Reason why the video has no features; None if it has."""
    snippets: int = 0
    """Number of rows that were computed; 0 if the features were up to date."""


def find_videos(folder: Path) -> dict[str, Path]:
    """Returns the videos below a folder by id, sorted by path.

    Raises:
        DataError: there are no videos, or two videos differ only in their suffix.
    """
    videos: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in videos:
                raise DataError(f"{videos[name]} and {path} would have the same features {name}")
            videos[name] = path
    if not videos:
        raise DataError(
            f"no videos below {folder}; expected files with a suffix of {' '.join(SUFFIXES)}"
        )
    return videos


def extract(
    videos: Mapping[str, Path],
    features: Path,
    *,
    extractor: str,
    workers: int | None = None,
    flow_device: FlowDevice = "auto",
) -> Iterator[Outcome]:
    """Writes ID.npy, float32 (T, D), of each video, and yields the outcomes as they come.

    The features are float32, as a service computes them, so training and service see the same
    values. Features of the same bytes by the same extractor are not computed again. A video that
    cannot be read, that crashes its worker, or whose name is too long, does not affect the others.
    One process at a time extracts to a folder. The others, of torchrun for example, wait, and then
    find its features up to date.

    Args:
        videos: video files by id.
        features: the folder for the features.
        extractor: the name of an extractor; see `open_extractor`.
        workers: number of processes. If not given: one on each core, or a single one if a GPU
            computes flow.
        flow_device: device of TV-L1 flow.

    Raises:
        OptionError: there is no such extractor, or it does not use TV-L1 flow and `cuda` is given.
        DeviceError: `cuda` is given and there is no GPU.
        OSError: features cannot be written, for example because the disk is full.
    """
    on_gpu = flow_on_gpu(flow_device, open_extractor(extractor))
    available = cores()
    count = min(workers or (1 if on_gpu else available), len(videos))
    choice = ExtractorChoice(extractor, on_gpu, threads=max(1, available // count) if on_gpu else 1)
    from features.folder_lock import locked  # here, because Windows has no such locks

    with locked(features):
        for left in features.rglob(".*.partial"):  # by processes that were killed
            left.unlink(missing_ok=True)
        yield from _extract_all(videos, features, choice, count)


def _extract_all(
    videos: Mapping[str, Path], features: Path, choice: ExtractorChoice, workers: int
) -> Iterator[Outcome]:
    pool = WorkerPool[VideoTask, VideoResult](partial(VideoExtraction, choice), workers)
    threads = ThreadPoolExecutor(workers)
    try:
        jobs = [threads.submit(_extract_one, pool, *video, features) for video in videos.items()]
        for job in as_completed(jobs):
            yield job.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        pool.stop()
        threads.shutdown()


def flow_on_gpu(device: FlowDevice, extractor: Extractor) -> bool:
    """Returns whether a GPU computes the TV-L1 flow of an extractor.

    Raises:
        OptionError: the device is `cuda`, and the extractor does not use TV-L1 flow.
        DeviceError: the device is `cuda`, and there is no GPU.
    """
    if device == "cpu" or (device == "auto" and not uses_tvl1(extractor)):
        return False
    if not uses_tvl1(extractor):
        raise OptionError(f"a GPU computes only TV-L1 flow, which {extractor.id} does not use")
    present = _has_cuda()
    if device == "cuda" and not present:
        raise DeviceError.no_cuda("torch", "a GPU for TV-L1 flow, or the flow device `cpu`")
    return present


def _has_cuda() -> bool:
    if find_spec("torch") is None:
        return False
    import torch  # here, because the import takes seconds

    return torch.cuda.is_available()


def _extract_one(
    pool: WorkerPool[VideoTask, VideoResult], name: str, video: Path, features: Path
) -> Outcome:
    """Extracts one video in a worker and writes its features."""
    try:
        (features / f"{name}.json").exists()  # a name too long for a file fails before the work
        result = pool.ask(VideoTask(video, known_origin(features, name)))
    except (LocalizerError, OSError) as error:
        return Outcome(name, failure=str(error))
    if not isinstance(result, Extracted):
        return Outcome(name)
    _write(features, name, result)
    return Outcome(name, snippets=len(result.features_TD))


def known_origin(features: Path, name: str) -> Origin | None:
    """Returns the origin of existing features; None without features or a readable origin."""
    if not (features / f"{name}.npy").is_file():
        return None
    try:
        return _ORIGIN.validate_json((features / f"{name}.json").read_bytes())
    except (OSError, ValidationError):  # the name may have no room for the ending
        return None


def _write(features: Path, name: str, result: Extracted) -> None:
    """Writes features and their origin; at no time does an origin accompany other features."""
    origin = features / f"{name}.json"
    origin.unlink(missing_ok=True)
    with whole_file(features / f"{name}.npy") as file:
        np.save(file, result.features_TD)
    with whole_file(origin) as file:
        file.write(_ORIGIN.dump_json(result.origin, indent=1))


_ORIGIN = TypeAdapter(Origin)

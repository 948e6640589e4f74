"""A folder of videos in, a folder of features out: in parallel, and going on where it stopped.

Beside each ID.npy stands an ID.json that says what it was made from; where that is still so, the
video is not done again. Worker processes compute and this one alone writes, so that a worker that
outlives it writes nothing.
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
    Answer,
    Extracted,
    ExtractorChoice,
    Origin,
    Task,
    VideoExtraction,
)
from features.extractors import Extractor, open_extractor, sees_tvl1
from features.worker_pool import WorkerPool
from model.cores import cores
from model.errors import DataError, DeviceError, LocalizerError, OptionError
from model.whole_file import whole_file

FlowDevice: TypeAlias = Literal["auto", "cpu", "cuda"]
"""Where TV-L1 flow is computed: by OpenCV on the CPU or by torch on a CUDA GPU; `auto` takes a GPU
where there is one."""

SUFFIXES = (
    ".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)  # fmt: skip
"""Files with other endings are not taken for videos."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one video."""

    id: str
    """Its path below the folder of videos, without its ending; its features have the same."""
    failure: str | None = None
    """Why there are no features; None if there are."""
    snippets: int = 0
    """Rows of its features, if they were computed now; 0 if they were there already."""


def find_videos(folder: Path) -> dict[str, Path]:
    """Returns the videos below a folder by their ids, sorted.

    Raises:
        DataError: there are none, or two that differ in their ending only.
    """
    videos: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in videos:
                raise DataError(f"{videos[name]} and {path} would have the same features {name}")
            videos[name] = path
    if not videos:
        raise DataError(f"no videos below {folder}; known endings: {' '.join(SUFFIXES)}")
    return videos


def extract(
    videos: Mapping[str, Path],
    features: Path,
    *,
    extractor: str,
    workers: int | None = None,
    flow_device: FlowDevice = "auto",
) -> Iterator[Outcome]:
    """Writes ID.npy, float32 (T, D), of every video, and yields what became of each.

    float32, as it is computed, so that a model is served the very features that it learned from.
    Videos whose features are there already, of the same bytes and by the same extractor, are left
    as they are. A video that cannot be read, or that takes its worker down, disturbs no other.

    Args:
        videos: files by their ids.
        features: the folder.
        extractor: as `open_extractor` takes it.
        workers: processes; as many as cores if not given, but one where flow is computed on a GPU.
        flow_device: where TV-L1 flow is computed.

    Raises:
        OptionError: there is no such extractor, or it has no use for `cuda`.
        DeviceError: `cuda` was asked for and there is none.
        OSError: features could not be written.
    """
    on_gpu = flow_on_gpu(flow_device, open_extractor(extractor))
    available = cores()
    count = min(workers or (1 if on_gpu else available), len(videos))
    choice = ExtractorChoice(extractor, on_gpu, threads=max(1, available // count) if on_gpu else 1)
    pool = WorkerPool[Task, Answer](partial(VideoExtraction, choice), count)
    threads = ThreadPoolExecutor(count)
    try:
        jobs = [threads.submit(_do, pool, *video, features) for video in videos.items()]
        for job in as_completed(jobs):
            yield job.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        pool.stop()
        threads.shutdown()


def flow_on_gpu(device: FlowDevice, extractor: Extractor) -> bool:
    """Returns whether a GPU computes an extractor's TV-L1 flow.

    Raises:
        OptionError: `cuda` was asked for, and the extractor sees no such flow.
        DeviceError: `cuda` was asked for and there is none.
    """
    if device == "cpu" or (device == "auto" and not sees_tvl1(extractor)):
        return False
    if not sees_tvl1(extractor):
        raise OptionError(f"a GPU computes TV-L1 flow only, and {extractor.id} sees none")
    present = _has_cuda()
    if device == "cuda" and not present:
        raise DeviceError.no_cuda("torch", "a GPU for TV-L1 flow, or the flow device `cpu`")
    return present


def _has_cuda() -> bool:
    if find_spec("torch") is None:
        return False
    import torch  # takes seconds

    return torch.cuda.is_available()


def _do(pool: WorkerPool[Task, Answer], name: str, video: Path, features: Path) -> Outcome:
    """Has a worker do one video, and writes what it found."""
    try:
        answer = pool.ask(Task(video, known_origin(features, name)))
    except (LocalizerError, OSError) as error:
        return Outcome(name, failure=str(error))
    if not isinstance(answer, Extracted):
        return Outcome(name)
    _write(features, name, answer)
    return Outcome(name, snippets=len(answer.features_TD))


def known_origin(features: Path, name: str) -> Origin | None:
    """Returns what the features were made from that are there; None if that cannot be told."""
    if not (features / f"{name}.npy").is_file():
        return None
    try:
        return _ORIGIN.validate_json((features / f"{name}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _write(features: Path, name: str, answer: Extracted) -> None:
    """Writes features and their origin; at no moment does an origin stand beside other features."""
    origin = features / f"{name}.json"
    origin.unlink(missing_ok=True)
    with whole_file(features / f"{name}.npy") as file:
        np.save(file, answer.features_TD)
    with whole_file(origin) as file:
        file.write(_ORIGIN.dump_json(answer.origin, indent=1))


_ORIGIN = TypeAdapter(Origin)

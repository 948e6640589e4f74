"""Stills of videos as JPEG, read in a process of their own because a video may crash a decoder."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from anyio import CapacityLimiter, to_thread

from features.video.limits import VideoLimits
from features.worker_pool import WorkerPool
from model.errors import WorkerError
from service.errors import DeadlineExceededError, OverloadedError

_TIMEOUT_S: Final = 10.0
_MAX_WAITING: Final = 32
"""Requests that wait for a still; a page asks for few at a time."""
_CACHED: Final = 256
"""Stills in memory; each has at most some 100 kB."""
_QUALITY: Final = 85


@dataclass(frozen=True, slots=True)
class StillTask:
    """One image to read."""

    video: Path
    """Video file."""
    modified_ns: int
    """Time of the last change of the file."""
    time_ms: int
    """Time of the image in milliseconds."""
    height: int
    """Height of the image in pixels."""


class Stills:
    """Reads stills, one at a time in each server process, and keeps the newest."""

    def __init__(self, limits: VideoLimits) -> None:
        """Prepares the process, which starts with the first still."""
        self._pool: WorkerPool[StillTask, bytes] = WorkerPool(partial(_reader, limits), 1)
        self._limiter = CapacityLimiter(1)
        self._read = lru_cache(_CACHED)(self._ask)

    async def still(self, video: Path, time_s: float, height: int) -> bytes:
        """Returns the image on screen at a time, as JPEG.

        Raises:
            OverloadedError: too many requests wait for a still.
            DeadlineExceededError: the image could not be read in time.
            VideoError, OSError: the video cannot be read.
        """
        waiting = self._limiter.statistics().tasks_waiting
        if waiting >= _MAX_WAITING:
            raise OverloadedError(f"{waiting} requests wait for a still", 1.0)
        return await to_thread.run_sync(
            self._find, video, round(1e3 * time_s), height, limiter=self._limiter
        )

    def stop(self) -> None:
        """Ends the process."""
        self._pool.stop()

    def _find(self, video: Path, time_ms: int, height: int) -> bytes:
        return self._read(StillTask(video, video.stat().st_mtime_ns, time_ms, height))

    def _ask(self, task: StillTask) -> bytes:
        try:
            return self._pool.ask(task, timeout_s=_TIMEOUT_S)
        except WorkerError as error:
            raise DeadlineExceededError(
                "this image of the video could not be read in time"
            ) from error


def _reader(limits: VideoLimits) -> "partial[bytes]":
    return partial(_read_jpeg, limits)


def _read_jpeg(limits: VideoLimits, task: StillTask) -> bytes:
    import cv2  # here, because the server does not need OpenCV and FFmpeg

    from features.video.stills import read_still

    image_HWC = read_still(task.video, 1e-3 * task.time_ms, height=task.height, limits=limits)
    bgr_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr_HWC, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return content.tobytes()

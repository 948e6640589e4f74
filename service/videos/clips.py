"""Clips of videos as a ZIP file, cut in a process of their own: a video may crash a decoder."""

import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from anyio import CancelScope, CapacityLimiter, to_thread

from ecm_client.segments import Segment
from features.video.limits import VideoLimits
from features.worker_pool import WorkerProcess
from service.errors import OverloadedError

_AT_ONCE: Final = 2
"""ZIP files that are made at the same time; each has a process and a place on the disk."""
_NAME_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class ClipsTask:
    """Segments to cut."""

    video: Path
    """Video file."""
    name: str
    """Name of the video, from which the names of the clips follow."""
    segments: tuple[Segment, ...]
    """The segments."""
    exact: bool
    """Whether to encode again."""


class Clips:
    """Makes ZIP files of clips, a few at a time."""

    def __init__(self, limits: VideoLimits, folder: Path, part_timeout_s: float) -> None:
        """Prepares the processes.

        Args:
            limits: limits on decoding.
            folder: place of the clip that is being cut.
            part_timeout_s: longest work on one part of a ZIP file.
        """
        self._prepare = partial(ClipReader, limits, folder)
        self._timeout_s = part_timeout_s
        self._limiter = CapacityLimiter(_AT_ONCE)

    @asynccontextmanager
    async def zipped(
        self, video: Path, name: str, segments: Sequence[Segment], *, exact: bool
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yields the parts of a ZIP file; the first is there before, so that errors precede it.

        Raises:
            OverloadedError: enough ZIP files are being made.
            VideoError: the video cannot be cut so.
            WorkerError: the process failed or took too long.
        """
        if not self._limiter.available_tokens:
            raise OverloadedError(f"{_AT_ONCE} requests for clips are in progress", 5.0)
        worker: WorkerProcess[ClipsTask | None, bytes] = WorkerProcess(self._prepare)
        task = ClipsTask(video, name, tuple(segments), exact)
        async with self._limiter:
            try:
                yield self._parts(worker, await self._ask(worker, task))
            finally:
                with CancelScope(shield=True):
                    await to_thread.run_sync(worker.stop)

    async def _parts(
        self, worker: "WorkerProcess[ClipsTask | None, bytes]", first: bytes
    ) -> AsyncIterator[bytes]:
        part = first
        while part:
            yield part
            part = await self._ask(worker, None)

    async def _ask(
        self, worker: "WorkerProcess[ClipsTask | None, bytes]", task: ClipsTask | None
    ) -> bytes:
        ask = partial(worker.ask, task, timeout_s=self._timeout_s)
        return await to_thread.run_sync(ask, abandon_on_cancel=True)


class ClipReader:
    """Answers the first task with the first part of a ZIP file, and each None with the next."""

    def __init__(self, limits: VideoLimits, folder: Path) -> None:
        """Uses a folder on the disk, because /tmp may be in memory."""
        tempfile.tempdir = str(folder)
        self._limits = limits
        self._folder = tempfile.TemporaryDirectory()
        self._parts: Iterator[bytes] = iter(())

    def __call__(self, task: ClipsTask | None) -> bytes:
        """Returns a part; an empty one at the end.

        Raises:
            VideoError: the video cannot be cut so.
        """
        from features.video.clips import zip_of_clips  # here, because the server needs no FFmpeg

        if task is not None:
            named = Path(self._folder.name) / Path(task.name).stem[:_NAME_CHARACTERS]
            named.symlink_to(task.video)
            self._parts = zip_of_clips(named, task.segments, exact=task.exact, limits=self._limits)
        return next((part for part in self._parts if part), b"")

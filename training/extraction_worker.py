"""A process that computes the features of videos, one after the other.

A process, so that a video which crashes a decoder ends nothing else; started afresh rather than
forked, so that it holds neither torch nor threads of its parent.
"""

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.errors import LocalizerError
from model.extractors import Extractor, open_extractor


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file of features was made from."""

    video_sha256: str
    """Hash of the video file."""
    extractor: str
    """Id of the extractor: its name, version and options."""
    extractor_sha256: str | None
    """Hash of the extractor's weights; None where it has none."""


@dataclass(frozen=True, slots=True)
class Task:
    """A video to do."""

    video: Path
    """Its file."""
    known: Origin | None
    """What its features were made from that are there already; None where there are none."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """Features were computed."""

    features_TD: NDArray[np.float32]
    """They themselves."""
    origin: Origin
    """What they were made from."""


@dataclass(frozen=True, slots=True)
class UpToDate:
    """The features that are there were made from the same file by the same extractor."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There are no features."""

    reason: str
    """Why."""


Answer: TypeAlias = Extracted | UpToDate | Failed


class ExtractionWorker:
    """The process, as its parent sees it; a new one takes its place if it dies."""

    def __init__(self, extractor: str) -> None:
        self._extractor = extractor
        self._stopped = False
        self._start()

    def ask(self, task: Task) -> Answer:
        """Has a video done, and returns what became of it."""
        try:
            self._connection.send(task)
            answer: Answer = self._connection.recv()
            return answer
        except (EOFError, OSError):
            self._process.join()
            status = self._process.exitcode
            if not self._stopped:
                self._start()
            return Failed(f"the process that read it ended with status {status}")

    def stop(self) -> None:
        """Ends the process at once."""
        self._stopped = True
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, self._extractor, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()


def _work(connection: Connection, extractor_name: str, parent: int) -> None:
    """Answers tasks until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this one
    extractor = open_extractor(extractor_name)
    while True:
        try:
            connection.send(_answer(connection.recv(), extractor, parent))
        except (EOFError, OSError):
            return


def _answer(task: Task, extractor: Extractor, parent: int) -> Answer:
    try:
        with task.video.open("rb") as file:
            video_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        origin = Origin(video_sha256, extractor.id, extractor.sha256)
        if origin == task.known:
            return UpToDate()
        return Extracted(_features(task.video, extractor, parent), origin)
    except (LocalizerError, OSError) as error:
        return Failed(str(error))
    except Exception as error:  # whatever a file provokes in a library ends this video alone
        return Failed(f"{type(error).__name__}: {error}")


def _features(video: Path, extractor: Extractor, parent: int) -> NDArray[np.float32]:
    """Returns a video's features (T, D)."""
    from model.video import read_snippets

    snippets = read_snippets(
        video,
        rate_fps=extractor.rate_fps,
        snippet_frames=extractor.snippet_frames,
        short_side=extractor.short_side,
        threads=1,  # there are as many workers as cores
    )
    return np.stack(list(extractor.features(_while_parent_lives(snippets, parent))))


Item = TypeVar("Item")


def _while_parent_lives(items: Iterable[Item], parent: int) -> Iterator[Item]:
    """Yields items, and ends the process where nobody is left to whom it could answer."""
    for item in items:
        if os.getppid() != parent:
            os._exit(1)
        yield item

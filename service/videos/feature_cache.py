"""Features of whole videos, so that the same video is not extracted twice; bounded in bytes.

Several processes may share the folder.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.spec import ExtractorIdentity
from model.whole_file import sha256_of, whole_file

_log = logging.getLogger(__name__)

_HEADER_BYTES = 128
"""What an .npy file of two axes has before its numbers."""


class FeatureCache:
    """Keeps features by what they were made of; the least lately used go first."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Takes a folder that holds nothing else."""
        self._folder = folder
        self._max_bytes = max_bytes

    def get(self, video_sha256: str, extractor: ExtractorIdentity) -> NDArray[np.float32] | None:
        """Returns a video's features (T, D), or None where they are not kept."""
        path = self._path(video_sha256, extractor)
        try:
            features_TD: NDArray[np.float32] = np.load(path, allow_pickle=False)
            if features_TD.ndim != 2 or features_TD.dtype != np.float32:
                raise ValueError(f"{features_TD.ndim} axes of {features_TD.dtype}")
            os.utime(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # numpy has many for the header alone
            _log.warning("features %s are damaged and are made anew: %s", path.name, error)
            with suppress(OSError):  # of a folder that cannot be written to
                path.unlink()
            return None
        return features_TD

    def put(
        self, video_sha256: str, extractor: ExtractorIdentity, features_TD: NDArray[np.float32]
    ) -> None:
        """Keeps a video's features if there is room for them; a full disk is no error."""
        path = self._path(video_sha256, extractor)
        wanted_bytes = features_TD.nbytes + _HEADER_BYTES
        if wanted_bytes > self._max_bytes:
            return
        try:
            if path.exists():  # what the name stands for is always the same
                os.utime(path)
                return
            with self._alone():
                self._make_room(wanted_bytes)
                with whole_file(path) as file:
                    np.save(file, features_TD)
        except OSError as error:
            _log.warning("features are not kept: %s", error)

    def _path(self, video_sha256: str, extractor: ExtractorIdentity) -> Path:
        key = f"{video_sha256} {extractor.name} {extractor.sha256}"
        return self._folder / f"{sha256_of(key.encode())}.npy"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other writers out: two that write the same file would see each other's half."""
        with self._folder.with_name(f"{self._folder.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_room(self, wanted_bytes: int) -> None:
        """Removes the files used longest ago until there is room for so many bytes."""
        for path in self._folder.glob(".*.partial"):  # their writers were killed
            path.unlink(missing_ok=True)
        files = []
        for path in self._folder.glob("*.npy"):
            try:
                files.append((path.stat().st_mtime, path.stat().st_size, path))
            except FileNotFoundError:  # another process was faster
                continue
        excess = sum(size for _, size, _ in files) + wanted_bytes - self._max_bytes
        for _, size, path in sorted(files):
            if excess <= 0:
                return
            with suppress(OSError):  # a folder, for one, or removed by a reader
                path.unlink()
                excess -= size

"""Cache of the features of whole videos on disk, bounded in bytes.

Several processes may share the folder.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.spec import ExtractorIdentity
from model.whole_file import sha256_of, whole_file
from service.bounded_folder import BoundedFolder

_log = logging.getLogger(__name__)

_HEADER_BYTES = 128
"""Length of the header of an .npy file with two axes."""


class FeatureCache:
    """Stores features by video and extractor; evicts the least recently used."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Opens a cache in a folder that holds nothing else."""
        self._folder = BoundedFolder(folder, max_bytes)

    def get(self, video_sha256: str, extractor: ExtractorIdentity) -> NDArray[np.float32] | None:
        """Returns a video's features (T, D), or None if they are not cached."""
        path = self._path(video_sha256, extractor)
        try:
            features_TD: NDArray[np.float32] = np.load(path, allow_pickle=False)
            if features_TD.ndim != 2 or features_TD.dtype != np.float32:
                raise ValueError(f"{features_TD.ndim} axes of {features_TD.dtype}")
            os.utime(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # numpy raises many kinds for the header alone
            _log.warning(
                "cached features %s are damaged and are extracted again: %s", path.name, error
            )
            with suppress(OSError):  # the folder may be read-only
                path.unlink()
            return None
        return features_TD

    def put(
        self, video_sha256: str, extractor: ExtractorIdentity, features_TD: NDArray[np.float32]
    ) -> None:
        """Stores a video's features if `max_bytes` allows it; a full disk is only logged."""
        path = self._path(video_sha256, extractor)
        wanted_bytes = features_TD.nbytes + _HEADER_BYTES
        if wanted_bytes > self._folder.max_bytes:
            return
        try:
            if path.exists():  # a name always has the same content
                os.utime(path)
                return
            with self._folder.room(wanted_bytes), whole_file(path) as file:
                np.save(file, features_TD)
        except OSError as error:
            _log.warning("features are not cached: %s", error)

    def _path(self, video_sha256: str, extractor: ExtractorIdentity) -> Path:
        key = f"{video_sha256} {extractor.name} {extractor.sha256}"
        return self._folder.folder / f"{sha256_of(key.encode())}.npy"

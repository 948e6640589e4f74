"""Features of a video in this process, by the extractor that a model was trained with.

Axes: T snippets, D feature channels.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecm_client.options import OnProgress, Progress
from ecm_localizer.installation import needed
from model.cores import cores
from model.errors import InputError, LocalizerError, ModelError, VideoError
from model.spec import ModelSpec

if TYPE_CHECKING:
    from features.extractors import Extractor


class VideoFeatures:
    """Computes the features that one model understands; several threads may share it."""

    def __init__(self, spec: ModelSpec, folder: Path, threads: int) -> None:
        """Opens nothing yet: a model that gets features needs no extractor.

        Args:
            spec: spec of the model; names the extractor.
            folder: folder with the ONNX files of extractors.
            threads: threads of one video; 0 for all cores.
        """
        self._spec = spec
        self._folder = folder
        self._threads = threads or cores()
        self._extractor: Extractor | None = None
        self._lock = threading.Lock()

    def extract(self, path: Path, on_progress: OnProgress) -> NDArray[np.float32]:
        """Returns the features (T, D) of a video file.

        Raises:
            InputError: the model was trained on ready-made features, or has no clock.
            ModelNotFoundError: the extractor of the model is not in the folder.
            ModelError: the extractor has another preprocessing than in training.
            VideoError: the file cannot be decoded, or is larger than allowed.
            InstallationError: the packages for videos are missing.
        """
        with self._lock, needed("a video", extra="video", packages=("features",)):
            self._extractor = self._extractor or self._open()
        try:
            return np.stack(list(self._rows(self._extractor, path, on_progress)))
        except LocalizerError:
            raise
        except Exception as error:  # a library that a broken file took by surprise
            raise VideoError(f"{path.name}: {type(error).__name__}: {error}") from error

    def _open(self) -> "Extractor":
        from features.extractors import open_extractor
        from features.model_extractor import find_extractor

        wanted = self._spec.extractor
        extractor = open_extractor(find_extractor(wanted, self._folder), threads=self._threads)
        if extractor.id != wanted.name:
            raise ModelError(
                f"the model was trained with the extractor {wanted.name}, the file with the same "
                f"network has {extractor.id}: another preprocessing"
            )
        if self._spec.snippet_s is None:
            raise InputError(
                "this model does not know how long a snippet is; train it from videos, or send "
                "features with duration_s"
            )
        return extractor

    def _rows(
        self, extractor: "Extractor", path: Path, on_progress: OnProgress
    ) -> Iterator[NDArray[np.float32]]:
        """Yields the rows (D,) of a video and reports the progress."""
        from features.video.reading import probe, read_snippets

        claimed_s = probe(path).duration_s
        snippet_s = extractor.snippet_frames / extractor.rate_fps
        total = max(1, round(claimed_s / snippet_s)) if claimed_s else None
        snippets = read_snippets(
            path,
            rate_fps=extractor.rate_fps,
            snippet_frames=extractor.snippet_frames,
            short_side=extractor.short_side,
            threads=self._threads,
        )
        start_s = monotonic()
        for done, row in enumerate(extractor.features(snippets), start=1):
            yield row
            left_s = (monotonic() - start_s) / done * max(total - done, 0) if total else None
            on_progress(Progress("running", done, total, left_s))

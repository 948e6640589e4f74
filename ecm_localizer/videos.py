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
from model.errors import InputError, LocalizerError, VideoError
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
        extractor = self._opened()
        try:
            return np.stack(list(_rows(extractor, path, self._threads, on_progress)))
        except LocalizerError:
            raise
        except Exception as error:  # from any library that a broken file takes by surprise
            raise VideoError(f"{path.name}: {type(error).__name__}: {error}") from error

    def _opened(self) -> "Extractor":
        """Returns the extractor of the model, which the first video opens."""
        with self._lock, needed("a video", extra="video", packages=("features",)):
            import features.video.reading  # noqa: F401, so that a missing FFmpeg is named here
            from features.model_extractor import find_extractor, open_model_extractor

            if self._extractor is None:
                wanted = self._spec.extractor
                name = find_extractor(wanted, self._folder)
                if self._spec.snippet_s is None:
                    raise InputError(
                        "this model does not know how long a snippet is; train it from videos, or "
                        "send features with duration_s"
                    )
                self._extractor = open_model_extractor(name, wanted.name, threads=self._threads)
            return self._extractor


def _rows(
    extractor: "Extractor", path: Path, threads: int, on_progress: OnProgress
) -> Iterator[NDArray[np.float32]]:
    """Yields the rows (D,) of a video and reports the progress after each."""
    from features.extractors import claimed_snippets, video_rows

    total = claimed_snippets(extractor, path)
    start_s = monotonic()
    for done, row in enumerate(video_rows(extractor, path, threads=threads), start=1):
        yield row
        left_s = (monotonic() - start_s) / done * max(total - done, 0) if total else None
        on_progress(Progress("running", done, total, left_s))

"""Features of a video in this process, by the extractor that a model was trained with.

Axes: T snippets, D feature channels.
"""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray

import features.video.reading  # noqa: F401, because a missing FFmpeg has to show before any video
from ecm_client.options import OnProgress, Progress
from features.extractors import claimed_snippets, video_rows
from features.model_extractor import find_extractor, open_model_extractor
from model.errors import LocalizerError, VideoError
from model.inference.cores import cores
from model.spec import ModelSpec


class VideoFeatures:
    """Computes the features that one model understands. Several threads may share it."""

    def __init__(self, spec: ModelSpec, folder: Path, threads: int) -> None:
        """Opens the extractor of a model.

        Args:
            spec: spec of the model; names the extractor.
            folder: folder with the ONNX files of extractors.
            threads: threads of one video; 0 for all cores.

        Raises:
            InputError: the model was trained on ready-made features, or has no snippet duration.
            ModelNotFoundError: the folder does not have the extractor.
            ModelError: the extractor preprocesses frames in another way than in training.
        """
        name = find_extractor(spec, folder)
        self._threads = threads or cores()
        self._extractor = open_model_extractor(name, spec.extractor.name, threads=self._threads)

    def extract(self, path: Path, on_progress: OnProgress) -> NDArray[np.float32]:
        """Returns the features (T, D) of a video file.

        Raises:
            VideoError: the file cannot be decoded, or is larger than allowed.
        """
        total = claimed_snippets(self._extractor, path)
        rows: list[NDArray[np.float32]] = []
        start_s = monotonic()
        for row in self._rows(path):
            rows.append(row)
            snippet_s = (monotonic() - start_s) / len(rows)
            left_s = max(total - len(rows), 0) * snippet_s if total else None
            on_progress(Progress("running", len(rows), total, left_s))
        return np.stack(rows)

    def _rows(self, path: Path) -> Iterator[NDArray[np.float32]]:
        try:
            yield from video_rows(self._extractor, path, threads=self._threads)
        except LocalizerError:
            raise
        except Exception as error:  # from any library that a broken file takes by surprise
            raise VideoError(f"{path.name}: {type(error).__name__}: {error}") from error

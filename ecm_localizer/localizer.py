"""`Localizer`: a model in this process.

Axes: T snippets, D feature channels, C classes.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ecm_client.inputs import Features, Source, VideoFile, VideoUri, open_source
from ecm_client.localization import Localization
from ecm_client.many import Outcome, outcomes
from ecm_client.options import OnProgress, Options, ignore_progress
from ecm_client.schemas import LocalizeOptions
from ecm_localizer.installation import needed
from ecm_localizer.opening import OpenedModel, open_model
from model.arrays import check_features
from model.errors import InputError, OptionError
from model.inference.engine import Device
from model.options import features_duration_s, localization_config
from model.predict import VideoPrediction, predict_video
from model.spec import ModelSpec
from model.validation import first_problem

if TYPE_CHECKING:
    from ecm_localizer.videos import VideoFeatures

EXTRACTORS = "extractors"
"""Folder with the ONNX files of extractors, as the service has it by default."""


class Localizer:
    """Finds when actions happen, with a model in this process.

        localizer = Localizer.open("models/mine")
        for segment in localizer.localize("match.mp4"):
            print(segment.label, segment.start_s, segment.end_s, segment.score)

    `Client` has the same methods and results, so a program moves to a service by changing the first
    line. Several threads may share a Localizer.
    """

    def __init__(
        self, model: OpenedModel, *, threads: int = 0, extractors: str | os.PathLike[str]
    ) -> None:
        """Takes a model that is loaded; `open` loads one from a path."""
        self.spec: ModelSpec = model.spec
        """Labels, clock and localization settings of the model."""
        self._model = model
        self._threads = threads
        self._extractors = Path(extractors)
        self._videos: VideoFeatures | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        version: int | None = None,
        device: Device = "auto",
        threads: int = 0,
        extractors: str | os.PathLike[str] = EXTRACTORS,
    ) -> Self:
        """Loads a model, checks its hash and its spec.

        Args:
            path: model in a repository, such as `models/mine`; an .onnx file; or the folder of a
                training run, which needs torch.
            version: version in the repository; the newest by default.
            device: `cpu`, `cuda`, or `auto` for CUDA where it is available.
            threads: CPU threads of one call; 0 for all cores.
            extractors: folder with the ONNX files of extractors, for models of videos.

        Raises:
            ModelNotFoundError: the path holds no model, several models, or not this version.
            ModelError: the file is damaged, or its spec cannot be read.
            DeviceError: CUDA was requested and is not available.
        """
        model = open_model(Path(path), version=version, device=device, threads=threads)
        return cls(model, threads=threads, extractors=extractors)

    def localize(
        self,
        source: Source,
        *,
        on_progress: OnProgress = ignore_progress,
        **options: Unpack[Options],
    ) -> Localization:
        """Returns the action segments of one video.

        An .npy path or an array is features. Any other path is a video.

            localizer.localize(features_TD, duration_s=93.4, min_score=0.2)

        Args:
            source: features (snippets, channels) as an array, a torch tensor or the path of an
                .npy file; or the path of a video, if the model was trained on videos.
            on_progress: called with the `Progress` of a video after each snippet.
            **options: see `Options`.

        Raises:
            InputError: the input or an option cannot be used by this model.
            InstallationError: the packages for videos are missing.
        """
        start_s = perf_counter()
        chosen = _read_options(options)
        opened = open_source(source)
        if isinstance(opened, Features):
            features_TD = check_features(opened.values_TD, feature_dim=self.spec.feature_dim)
            return self._localization(features_TD, chosen, {"parse": perf_counter() - start_s})
        if chosen.duration_s is not None or chosen.snippet_s is not None:
            raise InputError("a video has its own duration: leave out duration_s and snippet_s")
        features_TD = self._video_features().extract(_local_path(opened), on_progress)
        return self._localization(features_TD, chosen, {"extraction": perf_counter() - start_s})

    def localize_many(
        self,
        sources: Iterable[Source],
        *,
        concurrency: int = 1,
        progress_bar: bool | None = None,
        **options: Unpack[Options],
    ) -> Iterator[Outcome]:
        """Yields the result of each input in order, or the error that it met.

            for path, outcome in zip(paths, localizer.localize_many(paths)):
                if isinstance(outcome, LocalizerError):
                    print(path, outcome)

        Args:
            sources: inputs as `localize` takes them; at most `concurrency` are read ahead.
            concurrency: number of inputs at the same time.
            progress_bar: whether to show one; by default only where there is a terminal.
            **options: options of every input; see `Options`.
        """

        def localize(source: Source, on_progress: OnProgress) -> Localization:
            return self.localize(source, on_progress=on_progress, **options)

        return outcomes(localize, sources, concurrency=concurrency, progress_bar=progress_bar)

    def close(self) -> None:
        """Does nothing. A program may close a Localizer as it closes a Client."""

    def _video_features(self) -> "VideoFeatures":
        """Returns what computes features of videos. The first video opens the extractor."""
        with self._lock, needed("a video", extra="video", packages=("features",)):
            if self._videos is None:
                from ecm_localizer.videos import VideoFeatures

                self._videos = VideoFeatures(self.spec, self._extractors, self._threads)
            return self._videos

    def _localization(
        self,
        features_TD: NDArray[np.float32],
        options: LocalizeOptions,
        stages_s: Mapping[str, float],
    ) -> Localization:
        start_s = perf_counter()
        prediction = predict_video(
            self._model.engine,
            features_TD,
            self.spec,
            duration_s=features_duration_s(options, self.spec, len(features_TD)),
            config=localization_config(options, self.spec.localization),
        )
        stages_s = {**stages_s, "localization": perf_counter() - start_s}
        return self._result(prediction, stages_s, with_cas=options.include == "cas")

    def _result(
        self, prediction: VideoPrediction, stages_s: Mapping[str, float], *, with_cas: bool
    ) -> Localization:
        labels, scores_C = self.spec.labels, prediction.class_scores_C
        times_s = {**stages_s, "total": sum(stages_s.values())}
        return Localization(
            segments=tuple(prediction.segments),
            classes={
                labels[index]: float(scores_C[index])
                for index in np.argsort(-scores_C, kind="stable")
            },
            duration_s=prediction.duration_s,
            snippets=len(prediction.cas_TC),
            model=self._model.name,
            version=self._model.version,
            truncated=prediction.truncated,
            timing_ms={stage: 1e3 * seconds for stage, seconds in times_s.items()},
            cas_TC=prediction.cas_TC if with_cas else None,
            cas_labels=labels if with_cas else (),
            familiarity=prediction.familiarity,
            notes=prediction.notes,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        version = f" version {self._model.version}" if self._model.version else ""
        return f"Localizer of {self._model.name}{version}: {len(self.spec.labels)} classes"


def _read_options(options: Mapping[str, object]) -> LocalizeOptions:
    """Returns checked options.

    Raises:
        OptionError: an option is unknown or out of its range.
    """
    known = Options.__annotations__
    for name in options:
        if name not in known:
            raise OptionError(f"no option {name!r}; expected {', '.join(known)}")
    try:
        return LocalizeOptions.model_validate(options)
    except ValidationError as error:
        raise OptionError(first_problem(error)) from None


def _local_path(video: VideoFile | VideoUri) -> Path:
    """Returns the file of a video in this process.

    Raises:
        InputError: the video is elsewhere.
    """
    if isinstance(video, VideoFile):
        return video.path
    parts = urlsplit(video.uri)
    if parts.scheme != "file":
        raise InputError(
            f"a Localizer reads local files, got {video.uri}; download it, or give it to a Client, "
            "whose service may fetch it"
        )
    return Path(url2pathname(parts.path))

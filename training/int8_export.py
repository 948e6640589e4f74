"""Export of a network in int8, which has to localize as well as the network in float32.

Axes: V videos, C classes.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.inference.engine import EngineConfig, OnnxEngine
from model.int8 import FULL_WEIGHT, SAFE_WEIGHT, Int8Network, measure_ranges
from model.network import Ecm
from model.spec import ModelSpec
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import Progress, predict
from training.measurement.metrics import Videos, detection_score, tiou_range

CALIBRATION_VIDEOS: Final = 32
"""Most training videos on which the ranges of the activations are measured."""
MOST_FALL: Final = 0.003
"""Largest fall of mAP, the mean over tIoU 0.1 to 0.7, on videos with known times."""
LEAST_AGREEMENT: Final = 0.97
"""Least mAP at tIoU 0.5 of the int8 segments, with the float32 segments taken as the truth that a
list shows: those that reach the spec's `display_min_score`."""
LEAST_CORRELATION: Final = 0.999
"""Least correlation of the class scores of int8 and float32."""
_TIOU: Final = tiou_range("0.1:0.7:0.1")


@dataclass(frozen=True, slots=True)
class Int8Figures:
    """Comparison of int8 with float32 on the same videos."""

    videos: int
    """Number of videos."""
    map_float32: float | None
    """mAP of float32, the mean over tIoU 0.1 to 0.7; None if no video has known times."""
    map_int8: float | None
    """mAP of int8."""
    agreement: float
    """mAP at tIoU 0.5 of the int8 segments, with the listed float32 segments taken as the truth."""
    correlation: float
    """Correlation of the class scores."""

    @property
    def acceptable(self) -> bool:
        """Whether int8 may take the place of float32: by mAP where times are known."""
        if self.map_float32 is not None and self.map_int8 is not None:
            return self.map_int8 >= self.map_float32 - MOST_FALL
        return self.agreement >= LEAST_AGREEMENT and self.correlation >= LEAST_CORRELATION

    def named(self) -> dict[str, float]:
        """Returns the figures under the names that a spec stores them by."""
        figures = {"agreement": self.agreement, "correlation": self.correlation}
        if self.map_float32 is not None and self.map_int8 is not None:
            figures |= {"mAP": self.map_int8, "mAP_float32": self.map_float32}
        return {f"int8.{name}": value for name, value in figures.items()}

    def __str__(self) -> str:
        text = (
            f"agreement {100 * self.agreement:.1f} %, correlation of class scores "
            f"{self.correlation:.4f}"
        )
        if self.map_float32 is not None and self.map_int8 is not None:
            text += f", mAP {100 * self.map_int8:.1f} % of int8, {100 * self.map_float32:.1f} % of "
            text += "float32"
        return f"{self.videos} videos: {text}"


def write_int8(
    network: Ecm,
    spec: ModelSpec,
    exact: Path,
    path: Path,
    *,
    calibration: VideoSet,
    judged: VideoSet,
    weight_bits: int = 8,
    progress: Progress = iter,
) -> Int8Figures:
    """Writes the int8 form of a network and returns how it compares with float32.

    Args:
        network: The network.
        spec: Its spec.
        exact: ONNX file of the network in float32.
        path: ONNX file to write.
        calibration: Videos from whose features the ranges of the activations come.
        judged: Other videos, on which both are compared.
        weight_bits: 8, or 7 for CPUs without VNNI.
        progress: Wraps the iteration over the judged videos.

    Raises:
        DataError: Features cannot be used.
        ModelError: int8 localizes worse than `MOST_FALL`, or than `LEAST_AGREEMENT` and
            `LEAST_CORRELATION` where no times are known.
    """
    some = calibration.videos[:: max(1, len(calibration.videos) // CALIBRATION_VIDEOS)]
    features = (video.features(feature_dim=spec.feature_dim) for video in some)
    ranges = measure_ranges(network.cpu().eval(), features)
    form = Int8Network.of(network, ranges, FULL_WEIGHT if weight_bits == 8 else SAFE_WEIGHT)
    spec = replace(spec, precision="int8")
    form.write(spec, path)
    figures = compare(exact, path, judged, progress)
    if not figures.acceptable:
        raise ModelError(
            f"int8 localizes otherwise than float32 ({figures}); expected mAP to fall by at most "
            f"{100 * MOST_FALL:g} points, or without known times an agreement of at least "
            f"{100 * LEAST_AGREEMENT:g} % and a correlation of at least {LEAST_CORRELATION}. "
            "Export without --int8"
        )
    form.write(replace(spec, evaluation=spec.evaluation | figures.named()), path)
    return figures


def compare(exact: Path, int8: Path, videos: VideoSet, progress: Progress = iter) -> Int8Figures:
    """Returns how two ONNX files of one network compare on videos."""
    one, other = (_localized(path, videos, progress) for path in (exact, int8))
    truth = {video.id: video.instances for video in videos.videos}
    has_times = any(truth.values())
    return Int8Figures(
        len(videos.videos),
        detection_score(truth, one.segments, _TIOU).average if has_times else None,
        detection_score(truth, other.segments, _TIOU).average if has_times else None,
        agreement=_agreement(one, other.segments),
        correlation=_correlation(one.scores_VC, other.scores_VC),
    )


@dataclass(frozen=True, slots=True)
class _Localized:
    """Results of one ONNX file."""

    segments: Videos
    listed: Videos
    """Segments that reach the spec's `display_min_score`."""
    scores_VC: NDArray[np.float64]


def _localized(path: Path, videos: VideoSet, progress: Progress) -> _Localized:
    engine = OnnxEngine(path.read_bytes(), EngineConfig(device="cpu"))
    results = [*progress(predict(engine, engine.spec, videos.videos))]
    segments = {video.id: result.segments for video, result in results}
    least = engine.spec.display_min_score or -np.inf
    listed = {id_: [one for one in every if one.score >= least] for id_, every in segments.items()}
    return _Localized(segments, listed, np.array([result.class_scores_C for _, result in results]))


def _agreement(exact: _Localized, int8: Videos) -> float:
    """Returns the mAP at tIoU 0.5 of int8 against float32; 1 if float32 lists no segment."""
    if not any(exact.listed.values()):
        return 1.0
    return detection_score(exact.listed, int8, (0.5,)).average


def _correlation(one_VC: NDArray[np.float64], other_VC: NDArray[np.float64]) -> float:
    if np.array_equal(one_VC, other_VC):
        return 1.0
    if one_VC.std() == 0 or other_VC.std() == 0:
        return 0.0
    return float(np.corrcoef(one_VC.ravel(), other_VC.ravel())[0, 1])

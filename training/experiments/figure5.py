"""class activation sequences of the three networks over the ground truth."""

from collections.abc import Sequence
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.errors import DataError
from model.localize import scale_cas
from model.predict import VideoPrediction
from model.snippets import snippet_centres
from training.datasets.video_record import VideoRecord
from training.evaluation import predict
from training.experiments.finding import Finding, table
from training.experiments.study import Study
from training.experiments.variants import TITLES

PRESET = "thumos14"

_VARIANTS = ("pre", "post", "full")
_DEFAULT_VIDEOS = 2


def run(study: Study) -> Finding:
    """Returns the paper's Figure 5 for some videos: those chosen, else two usual ones."""
    study.train(*_VARIANTS)
    seed, videos = study.seeds[0], chosen(study)
    results: dict[str, dict[str, VideoPrediction]] = {}
    for variant in _VARIANTS:
        found = predict(*study.engine(variant, seed), videos)
        results[variant] = {video.id: result for video, result in found}
    labels = study.training.classes
    contrast = {
        variant: {video.id: outer_inner(video, of[video.id], labels) for video in videos}
        for variant, of in results.items()
    }
    rows = [
        [TITLES[variant], *(f"{inside:.2f} / {outside:.2f}" for inside, outside in of.values())]
        for variant, of in contrast.items()
    ]
    return Finding(
        "Figure 5: class activation sequences",
        "Normalised class activation of the true classes, instances shaded; "
        f"last epoch, seed {seed}. {study.circumstances()}\n\n"
        "Mean activation inside / outside of the instances:\n\n"
        + table(["network", *(video.id for video in videos)], rows),
        {"inside_outside": contrast, "seed": seed, "study": study.described()},
        {video.id: _draw(video, results, labels) for video in videos},
    )


def chosen(study: Study) -> list[VideoRecord]:
    """Returns the test videos to draw: those asked for, else two usual ones.

    Raises:
        DataError: one that was asked for is not among them.
    """
    by_id = {video.id: video for video in study.test.videos}
    missing = [id_ for id_ in study.drawn if id_ not in by_id]
    if missing:
        raise DataError(f"no test video {', '.join(missing)} in {study.test.source}")
    if study.drawn:
        return [by_id[id_] for id_ in study.drawn]
    shown = [video for video in study.test.videos if video.instances]
    usual = median(len(video.instances) for video in shown)
    return sorted(shown, key=lambda video: abs(len(video.instances) - usual))[:_DEFAULT_VIDEOS]


def outer_inner(
    video: VideoRecord, result: VideoPrediction, labels: Sequence[str]
) -> tuple[float, float]:
    """Returns the mean normalised activation of a video's true classes inside and outside."""
    curves_TC, centre_T = _curves(result)
    inside, outside = [], []
    for label in video.labels:
        own = [instance for instance in video.instances if instance.label == label]
        shown_T = np.any([(centre_T >= s.start_s) & (centre_T < s.end_s) for s in own], axis=0)
        curve_T = curves_TC[:, labels.index(label)]
        inside.append(curve_T[shown_T])
        outside.append(curve_T[~shown_T])
    return float(np.concatenate(inside).mean()), float(np.concatenate(outside).mean())


def _curves(result: VideoPrediction) -> tuple[np.ndarray, np.ndarray]:
    centre_T = snippet_centres(snippets=len(result.cas_TC), duration_s=result.duration_s)
    return np.maximum(scale_cas(result.cas_TC, result.cas_scale), 0), centre_T


def _draw(
    video: VideoRecord, results: dict[str, dict[str, VideoPrediction]], labels: Sequence[str]
) -> Figure:
    figure = Figure(figsize=(11, 1.7 * len(results) + 0.6), layout="constrained")
    rows = figure.subplots(len(results), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (variant, of) in zip(rows, results.items(), strict=True):
        _draw_row(axes, video, of[video.id], labels)
        axes.set_ylabel(TITLES[variant].replace("-classification alone", "\nclassification"))
    rows[0].set_title(video.id, loc="left", parse_math=False)
    rows[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    rows[-1].set_xlabel("time in the video (s)")
    return figure


def _draw_row(
    axes: Axes, video: VideoRecord, result: VideoPrediction, labels: Sequence[str]
) -> None:
    curves_TC, centre_T = _curves(result)
    for number, label in enumerate(video.labels):
        axes.plot(centre_T, curves_TC[:, labels.index(label)], color=f"C{number}", label=label)
        for instance in video.instances:
            if instance.label == label:
                axes.axvspan(instance.start_s, instance.end_s, color=f"C{number}", alpha=0.2)
    axes.set_ylim(0, 1.05)
    axes.set_xlim(0, result.duration_s)

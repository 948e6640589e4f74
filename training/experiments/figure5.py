"""Figure 5: class activation sequences of three networks above the ground truth."""

from collections.abc import Sequence
from itertools import cycle
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.errors import DataError
from model.predict import VideoPrediction
from training.datasets.video_record import VideoRecord
from training.experiments.finding import Finding, table
from training.experiments.study import Study
from training.experiments.variants import TITLES
from training.measurement.evaluation import predict
from training.report.plot import COLOURS, activation_curves, name_curves, set_time_axis

PRESET = "thumos14"

_VARIANTS = ("pre", "post", "full")
_DEFAULT_VIDEOS = 2


def run(study: Study) -> Finding:
    """Returns the paper's Figure 5 for some test videos."""
    study.train(*_VARIANTS)
    seed, videos = study.seeds[0], chosen(study)
    results: dict[str, dict[str, VideoPrediction]] = {}
    for variant in _VARIANTS:
        predictions = predict(*study.engine(variant, seed), videos)
        results[variant] = {video.id: result for video, result in predictions}
    labels = study.training.classes
    contrast = {
        variant: {video.id: outer_inner(video, by_id[video.id], labels) for video in videos}
        for variant, by_id in results.items()
    }
    rows = [
        [TITLES[variant], *(f"{inside:.2f} / {outside:.2f}" for inside, outside in by_id.values())]
        for variant, by_id in contrast.items()
    ]
    return Finding(
        "Figure 5: class activation sequences",
        "Normalised class activation of the true classes; instances are shaded. The networks are "
        f"those of the last epoch with seed {seed}. {study.description()}\n\n"
        "Mean activation inside / outside the instances:\n\n"
        + table(["network", *(video.id for video in videos)], rows),
        {"inside_outside": contrast, "seed": seed, "study": study.to_json()},
        {video.id: _draw(video, results, labels) for video in videos},
    )


def chosen(study: Study) -> list[VideoRecord]:
    """Returns the test videos to draw: `study.drawn`, or two with a median number of instances.

    Raises:
        DataError: a video of `study.drawn` is not a test video.
    """
    by_id = {video.id: video for video in study.test.videos}
    missing = [id_ for id_ in study.drawn if id_ not in by_id]
    if missing:
        raise DataError(f"no test video {', '.join(missing)} in {study.test.source}")
    if study.drawn:
        return [by_id[id_] for id_ in study.drawn]
    candidates = [video for video in study.test.videos if video.instances]
    middle = median(len(video.instances) for video in candidates)
    return sorted(candidates, key=lambda video: abs(len(video.instances) - middle))[
        :_DEFAULT_VIDEOS
    ]


def outer_inner(
    video: VideoRecord, result: VideoPrediction, labels: Sequence[str]
) -> tuple[float, float]:
    """Returns the mean activation of the true classes inside and outside their instances."""
    # Example: one class with activations 0.8, 0.6, 0.2 and 0.4, of which the first two are inside
    # an instance: 0.7 inside and 0.3 outside.
    centre_T, activation_TC = activation_curves(result)
    inside, outside = [], []
    for label in video.labels:
        own = [instance for instance in video.instances if instance.label == label]
        inside_T = np.any([(centre_T >= s.start_s) & (centre_T < s.end_s) for s in own], axis=0)
        activation_T = activation_TC[:, labels.index(label)]
        inside.append(activation_T[inside_T])
        outside.append(activation_T[~inside_T])
    return float(np.concatenate(inside).mean()), float(np.concatenate(outside).mean())


def _draw(
    video: VideoRecord, results: dict[str, dict[str, VideoPrediction]], labels: Sequence[str]
) -> Figure:
    figure = Figure(figsize=(11, 1.7 * len(results) + 0.6), layout="constrained")
    rows = figure.subplots(len(results), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (variant, by_id) in zip(rows, results.items(), strict=True):
        _draw_row(axes, video, by_id[video.id], labels)
        axes.set_ylabel(TITLES[variant].replace("-classification alone", "-\nclassification"))
    figure.supylabel("class activation (normalised)", fontsize="medium")
    rows[0].set_title(video.id, loc="left", parse_math=False)
    name_curves(rows[0], video.labels)
    set_time_axis(rows[-1], results["full"][video.id].duration_s)
    return figure


def _draw_row(
    axes: Axes, video: VideoRecord, result: VideoPrediction, labels: Sequence[str]
) -> None:
    centre_T, activation_TC = activation_curves(result)
    for label, colour in zip(video.labels, cycle(COLOURS), strict=False):
        axes.plot(centre_T, activation_TC[:, labels.index(label)], color=colour)
        for instance in video.instances:
            if instance.label == label:
                axes.axvspan(instance.start_s, instance.end_s, color=colour, alpha=0.2)
    axes.set_ylim(0, 1.05)

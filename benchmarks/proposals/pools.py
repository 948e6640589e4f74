"""Proposals of a network of tags: its segments before suppression, with what surrounds them.

Axes: T snippets, D channels, N proposals, H hidden channels, E edges of B bins,
 I instances, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from model.localization.localize import localize, scale_cas
from model.localization.suppression import suppress
from model.network import Ecm
from model.predict import at_inference_length, video_scores
from model.segments import Segment, temporal_iou
from model.spec import ModelSpec
from training.datasets.video_record import VideoRecord, VideoSet
from training.measurement.evaluation import TorchEngine

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

SIDE = 0.25
"""Length of the window on either side of a proposal, over the length of the proposal."""
WINDOWS = np.array([-SIDE, 0, 1, 1 + SIDE])
"""Edges of the windows left, inside and right, over the length of the proposal."""
BINS = np.linspace(-SIDE, 1 + SIDE, 13)
"""Edges of 12 bins over a proposal and its sides: 2 left, 8 inside, 2 right."""


@dataclass(frozen=True, slots=True)
class Instances:
    """Times of one video that count as right: the true ones, or a network's own."""

    class_I: Indices
    """Index of the class."""
    times_I2: Floats
    """Start and end in seconds."""

    @classmethod
    def of(cls, segments: tuple[Segment, ...], labels: tuple[str, ...]) -> "Instances":
        """Returns the instances of annotated segments."""
        known = [one for one in segments if one.label in labels]
        times_I2 = np.array([(one.start_s, one.end_s) for one in known]).reshape(-1, 2)
        return cls(np.array([labels.index(one.label) for one in known], np.intp), times_I2)


def tiou_matrix(first: Instances, second: Instances) -> Floats:
    """Returns the tIoU of all pairs; 0 where the classes differ."""
    tiou = temporal_iou(first.times_I2[:, None], second.times_I2)
    return np.where(first.class_I[:, None] == second.class_I, tiou, 0.0)


@dataclass(frozen=True, slots=True)
class Pool:
    """All proposals of one video."""

    video: VideoRecord
    """The video."""
    class_N: Indices
    """Index of the class."""
    times_N2: Floats
    """Start and end in seconds."""
    score_N: Floats
    """Score of the network of tags: outer-inner contrast and weighted class score."""
    video_score_N: Floats
    """Probability that the video shows the class."""
    parts: Mapping[str, NDArray[np.float32]]
    """Descriptions by name, (N, X) each; see `_parts`."""
    instances: Instances
    """True instances."""

    def nearest(self, instances: Instances) -> tuple[Floats, Floats]:
        """Returns the tIoU with the best instance of the class, (N,), and its times, (N, 2)."""
        if not len(instances.class_I):
            return np.zeros(len(self.class_N)), self.times_N2
        tiou_NI = tiou_matrix(Instances(self.class_N, self.times_N2), instances)
        return tiou_NI.max(axis=1), instances.times_I2[tiou_NI.argmax(axis=1)]

    def own_instances(self, score_N: Floats, share: float, iou: float) -> Instances:
        """Returns the proposals that greedy suppression keeps, above a share of the best score."""
        kept, kept_score = suppress(
            self.times_N2[:, 0],
            self.times_N2[:, 1],
            score_N,
            group_R=self.class_N,
            nms="greedy",
            iou=iou,
            sigma=1,
        )
        best_C = np.full(self.class_N.max(initial=0) + 1, -np.inf)
        np.maximum.at(best_C, self.class_N, score_N)
        kept = kept[kept_score >= share * best_C[self.class_N[kept]]]
        return Instances(self.class_N[kept], self.times_N2[kept])

    def segments(self, score_N: Floats, times_N2: Floats, spec: ModelSpec) -> list[Segment]:
        """Returns the segments after the suppression of the spec, best first."""
        if not len(score_N):
            return []
        config = spec.localization
        kept, kept_score = suppress(
            times_N2[:, 0], times_N2[:, 1], score_N, group_R=self.class_N, nms=config.nms,
            iou=config.nms_iou, sigma=config.soft_nms_sigma,
        )  # fmt: skip
        names = [spec.labels[index] for index in self.class_N[kept]]
        rows = zip(*times_N2[kept].T.tolist(), names, kept_score.tolist(), strict=True)
        return list(map(Segment._make, rows))


def pools_of(network: Ecm, spec: ModelSpec, videos: VideoSet, *, knows_tags: bool) -> list[Pool]:
    """Returns the proposals of each video, for its tags or for the classes that pass."""
    return [_pool(network, spec, video, knows_tags=knows_tags) for video in videos.videos]


def _pool(network: Ecm, spec: ModelSpec, video: VideoRecord, *, knows_tags: bool) -> Pool:
    features_TD = at_inference_length(video.features(), spec)
    cas_TC, hidden_TH = _activations(network, features_TD)
    shown_C = np.array([float(label in video.labels) for label in spec.labels])
    score_C = shown_C if knows_tags else video_scores(cas_TC, spec)
    config = replace(spec.localization, nms="none")
    found = localize(
        cas_TC, score_C, labels=spec.labels, duration_s=video.duration_s, config=config
    )
    class_N = np.array([spec.labels.index(one.label) for one in found], np.intp)
    times_N2 = np.array([(one.start_s, one.end_s) for one in found]).reshape(-1, 2)
    places_N2 = times_N2 * (len(cas_TC) / video.duration_s)
    scaled_TC = scale_cas(cas_TC, config.cas_scale)
    return Pool(
        video,
        class_N,
        times_N2,
        np.array([one.score for one in found]),
        score_C[class_N],
        _parts(features_TD, hidden_TH, scaled_TC, class_N, places_N2),
        Instances.of(video.instances, spec.labels),
    )


def _activations(
    network: Ecm, features_TD: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns the class activation sequence, (T, C), and the input of its last convolution."""
    inputs: list[Tensor] = []

    def keep(_module: nn.Module, read: tuple[Tensor], _written: Tensor) -> None:
        inputs.append(read[0])

    handle = network.classifier.conv_3.register_forward_hook(keep)
    cas_TC = TorchEngine(network).cas(features_TD)
    handle.remove()
    return cas_TC, inputs[0][0].T.numpy()


def _parts(
    features_TD: NDArray[np.float32],
    hidden_TH: NDArray[np.float32],
    scaled_TC: NDArray[np.float32],
    class_N: Indices,
    places_N2: Floats,
) -> dict[str, NDArray[np.float32]]:
    """Returns the descriptions of proposals, (N, X) each.

    - `inside`: mean features inside.
    - `centred`: inside minus the mean of the video.
    - `contrast`: inside minus left, inside minus right.
    - `hidden`: all three of these, of the network's hidden activations.
    - `profile`: the scaled CAS of the proposal's class in the 12 bins.
    """
    left_ND, inside_ND, right_ND = bin_means(features_TD, places_N2, WINDOWS).swapaxes(0, 1)
    before_NH, within_NH, after_NH = bin_means(hidden_TH, places_N2, WINDOWS).swapaxes(0, 1)
    profile_NBC = bin_means(scaled_TC, places_N2, BINS)
    return {
        "inside": inside_ND,
        "centred": inside_ND - features_TD.mean(axis=0),
        "contrast": np.hstack([inside_ND - left_ND, inside_ND - right_ND]),
        "hidden": np.hstack([within_NH - before_NH, within_NH, within_NH - after_NH]),
        "profile": profile_NBC[np.arange(len(class_N)), :, class_N],
    }


def bin_means(
    values_TD: NDArray[np.float32], places_N2: Floats, edge_E: Floats
) -> NDArray[np.float32]:
    """Returns the mean of the values in each bin of each proposal, (N, B, D).

    Values are constant over a snippet, and beyond the ends of the video they continue. The windows
    of the proposal from 2 to 6 are 1 to 2, 2 to 6 and 6 to 7.

    Args:
        values_TD: values of the snippets.
        places_N2: start and end of each proposal, in snippets.
        edge_E: edges of the bins; 0 is the start of a proposal, 1 its end.
    """
    start_N, length_N = places_N2[:, 0], places_N2[:, 1] - places_N2[:, 0]
    edge_NE = start_N[:, None] + length_N[:, None] * edge_E
    sum_NBD = np.diff(_sum_before(values_TD, edge_NE), axis=1)
    return (sum_NBD / np.diff(edge_NE, axis=1)[..., None]).astype(np.float32)


def _sum_before(values_TD: NDArray[np.float32], place_NE: Floats) -> Floats:
    zero_1D = np.zeros((1, values_TD.shape[1]))
    sum_TD = np.concatenate([zero_1D, values_TD[:-1].cumsum(axis=0, dtype=np.float64)])
    snippet_NE = np.clip(np.floor(place_NE), 0, len(values_TD) - 1).astype(np.intp)
    rest_NE1 = (place_NE - snippet_NE)[..., None]
    return sum_TD[snippet_NE] + rest_NE1 * values_TD[snippet_NE]

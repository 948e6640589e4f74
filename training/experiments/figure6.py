"""Figure 6: t-SNE of snippet features and of the features that the network aggregates from them.

The aggregated features are the weighted sums of Eq. 1 and 2, divided by the sum of the weights.
Without the division, a sum over hundreds of snippets would be far from each of them by its length
alone, and t-SNE depends on distances.

Axes: T snippets, D channels, N points, C classes of one video.
"""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier

from model.network import Ecm
from model.snippets import snippet_centres
from training.datasets.video_record import VideoRecord
from training.experiments.finding import Finding, table
from training.experiments.study import Study
from training.report.notation import percent

PRESET = "thumos14"

SNIPPETS_PER_VIDEO = 12
"""Largest number of action snippets, and of background snippets, from each video."""
MAX_VIDEOS = 60
"""Largest number of videos from which points are taken."""
NEIGHBOURS = 10
"""Number of nearest snippets among which those of actions are counted."""


@dataclass(frozen=True, slots=True)
class _Points:
    """Points of one kind in the plot."""

    title: str
    """Name in the legend."""
    features_ND: NDArray[np.float32]
    """Features of the points."""
    colour: str
    """Colour of the points."""
    marker: str
    """Marker of the points, in matplotlib's notation."""
    size: float
    """Area of the marker in square points; large where another kind may cover it."""


def run(study: Study) -> Finding:
    """Returns the paper's Figure 6."""
    study.train("full")
    seed = study.seeds[0]
    network = study.checkpoint("full", seed).network()
    rng = np.random.default_rng(seed)
    videos = [video for video in study.test.videos if video.instances]
    if len(videos) > MAX_VIDEOS:
        videos = [videos[index] for index in sorted(rng.permutation(len(videos))[:MAX_VIDEOS])]
    parts = [_of_video(network, study.training.classes, video, rng) for video in videos]
    action, background, by_action, by_background = (
        np.concatenate(of_kind) for of_kind in zip(*parts, strict=True)
    )
    kinds = (
        _Points("snippets of actions", action, "#e69f00", ".", 24),
        _Points("snippets of background", background, "#7f7f7f", ".", 24),
        _Points("aggregated with W_a", by_action, "#d55e00", "*", 150),
        _Points("aggregated with W_b", by_background, "#0072b2", "P", 45),
    )
    among_actions = {
        kind.title: _share_of_actions(action, background, kind.features_ND) for kind in kinds[2:]
    }
    rows = [[title, f"{percent(share, 0)} %"] for title, share in among_actions.items()]
    return Finding(
        "Figure 6: point features and aggregated features",
        f"t-SNE of the features of {len(videos)} test videos. The network is that of the last "
        f"epoch with seed {seed}. {study.description()}\n\nDistances in a two-dimensional plot can "
        f"mislead. The table therefore has the share of action snippets among the {NEIGHBOURS} "
        "nearest snippets of an aggregated feature. Half of all snippets show an action.\n\n"
        + table(["aggregated feature", "action snippets among its neighbours"], rows),
        {
            "share_of_actions": list(among_actions.values()),
            "seed": seed,
            "study": study.to_json(),
        },
        {"": _draw(kinds, seed)},
    )


@torch.inference_mode()
def _of_video(
    network: Ecm, labels: tuple[str, ...], video: VideoRecord, rng: np.random.Generator
) -> tuple[NDArray[np.float32], ...]:
    """Returns features of actions, as many of background, and those aggregated with W_a and W_b."""
    features_TD = video.features(feature_dim=network.config.feature_dim)
    centre_T = snippet_centres(snippets=len(features_TD), duration_s=video.duration_s)
    action_T = np.any(
        [(centre_T >= s.start_s) & (centre_T < s.end_s) for s in video.instances], axis=0
    )
    places = [np.flatnonzero(action_T), np.flatnonzero(~action_T)]
    number = min(SNIPPETS_PER_VIDEO, *map(len, places))
    action_N, background_N = (rng.permutation(place_N)[:number] for place_N in places)
    features = torch.from_numpy(features_TD)[None]
    weights_TC = network.action_weights(network(features))[0].numpy()
    own_TC = weights_TC[:, [labels.index(label) for label in video.labels]]
    return (
        features_TD[action_N],
        features_TD[background_N],
        _weighted_mean(features_TD, own_TC),
        _weighted_mean(features_TD, 1 - own_TC),
    )


def _weighted_mean(
    features_TD: NDArray[np.float32], weights_TC: NDArray[np.float32]
) -> NDArray[np.float32]:
    return (weights_TC / weights_TC.sum(axis=0).clip(1e-6)).T @ features_TD


def _share_of_actions(
    action_ND: NDArray[np.float32],
    background_ND: NDArray[np.float32],
    aggregated_ND: NDArray[np.float32],
) -> float:
    """Returns the share of action snippets among the nearest neighbours of aggregated features."""
    # Example: with 4 neighbours, a feature whose nearest snippets are action, action, background
    # and action has a share of 3/4; the result is the mean over all aggregated features.
    points_ND = np.concatenate([action_ND, background_ND])
    is_action_N = np.repeat([1, 0], [len(action_ND), len(background_ND)])
    neighbours = KNeighborsClassifier(NEIGHBOURS).fit(points_ND, is_action_N)
    return float(neighbours.predict_proba(aggregated_ND)[:, 1].mean())


def _draw(kinds: tuple[_Points, ...], seed: int) -> Figure:
    """Returns the plot of all points in two dimensions."""
    all_ND = np.concatenate([kind.features_ND for kind in kinds])
    plane_N2 = TSNE(perplexity=min(30, len(all_ND) / 4), random_state=seed).fit_transform(all_ND)
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.subplots()
    ends = np.cumsum([len(kind.features_ND) for kind in kinds])
    for kind, own_N2 in zip(kinds, np.split(plane_N2, ends[:-1]), strict=True):
        axes.scatter(
            own_N2[:, 0], own_N2[:, 1], s=kind.size, c=kind.colour, marker=kind.marker,
            label=kind.title, linewidths=0 if kind.marker == "." else 0.5,
            edgecolors="white",
        )  # fmt: skip
    axes.set(xticks=[], yticks=[], xlabel="t-SNE dimension 1", ylabel="t-SNE dimension 2")
    axes.legend(loc="best")
    return figure

"""t-SNE of snippet features and of the features that the network aggregates from them.

The aggregated features are the weighted sums of Eq. 1 and 2 over the weights' sums: t-SNE goes by
distance, and a sum over hundreds of snippets lies far from each of them by its length alone.
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

PRESET = "thumos14"

SNIPPETS_PER_VIDEO = 12
"""Points of action and as many of background, at most, of each video."""
MAX_VIDEOS = 60
NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class _Points:
    """Some features of one kind."""

    title: str
    features_ND: NDArray[np.float32]
    colour: str
    marker: str


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
        _Points("snippets of actions", action, "C1", "."),
        _Points("snippets of background", background, "C7", "."),
        _Points("aggregated with W_a", by_action, "C3", "*"),
        _Points("aggregated with W_b", by_background, "C0", "P"),
    )
    among_actions = [
        _share_of_actions(action, background, some) for some in (by_action, by_background)
    ]
    rows = [
        [kinds[2 + number].title, f"{100 * share:.0f} %"]
        for number, share in enumerate(among_actions)
    ]
    return Finding(
        "Figure 6: point features and aggregated features",
        f"t-SNE of features of {len(videos)} test videos, last epoch, seed {seed}. "
        f"{study.circumstances()}\n\nA picture of distances in two dimensions can mislead, so they "
        f"were counted as well: how many of the {NEIGHBOURS} nearest snippets show an action, "
        "where half of all snippets do.\n\n"
        + table(["aggregated feature", "action among its neighbours"], rows),
        {"share_of_actions": among_actions, "seed": seed, "study": study.described()},
        {"": _draw(kinds, seed)},
    )


@torch.inference_mode()
def _of_video(
    network: Ecm, labels: tuple[str, ...], video: VideoRecord, rng: np.random.Generator
) -> tuple[NDArray[np.float32], ...]:
    """Returns some features of actions, as many of background, and what is aggregated of them."""
    features_TD = video.features(feature_dim=network.config.feature_dim)
    centre_T = snippet_centres(snippets=len(features_TD), duration_s=video.duration_s)
    shown_T = np.any(
        [(centre_T >= s.start_s) & (centre_T < s.end_s) for s in video.instances], axis=0
    )
    places = [np.flatnonzero(shown_T), np.flatnonzero(~shown_T)]
    number = min(SNIPPETS_PER_VIDEO, *map(len, places))
    action, background = (rng.permutation(some)[:number] for some in places)
    features = torch.from_numpy(features_TD)[None]
    weights_TC = network.action_weights(network(features))[0].numpy()
    own_TC = weights_TC[:, [labels.index(label) for label in video.labels]]
    return (
        features_TD[action],
        features_TD[background],
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
    """Returns the share of action snippets among the nearest snippets of aggregated features."""
    points_ND = np.concatenate([action_ND, background_ND])
    is_action_N = np.repeat([1, 0], [len(action_ND), len(background_ND)])
    neighbours = KNeighborsClassifier(NEIGHBOURS).fit(points_ND, is_action_N)
    return float(neighbours.predict_proba(aggregated_ND)[:, 1].mean())


def _draw(kinds: tuple[_Points, ...], seed: int) -> Figure:
    """Returns the picture of all features in the plane."""
    all_ND = np.concatenate([kind.features_ND for kind in kinds])
    plane_N2 = TSNE(perplexity=min(30, len(all_ND) / 4), random_state=seed).fit_transform(all_ND)
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.subplots()
    ends = np.cumsum([len(kind.features_ND) for kind in kinds])
    for kind, own_N2 in zip(kinds, np.split(plane_N2, ends[:-1]), strict=True):
        size = 14 if kind.marker == "." else 60
        axes.scatter(
            own_N2[:, 0], own_N2[:, 1], s=size, c=kind.colour, marker=kind.marker, label=kind.title,
            linewidths=0 if kind.marker == "." else 0.5, edgecolors="white",
        )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(loc="best")
    return figure

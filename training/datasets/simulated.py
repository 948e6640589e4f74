"""A simulated data set in the native layout, for tests, the demo and controlled studies.

Every video has a scene, actions, and distractors. Actions fade in and out and go through phases.
Distractors are movements that occur in all videos and have no label. An action mostly occurs in
its own scene. A network that classifies videos alone learns the scene and localizes badly, as on
real data (context confusion). `difficulty` raises noise, distractors and scene together.

Axes: T snippets, D feature channels.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.validation import check_ranges

PHASES = 3
"""Phases of an action with features of their own: beginning, middle and end."""
FADE_SNIPPETS = 2
"""Snippets over which an action fades in, and over which it fades out."""


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """Size and difficulty of a simulated data set."""

    training_videos: int = 80
    """Number of videos in subset `training`."""
    validation_videos: int = 40
    """Number of videos in subset `validation`."""
    classes: int = 5
    """Number of actions, named `action_0`, `action_1`, ..."""
    feature_dim: int = 64
    """Number of feature channels."""
    min_snippets: int = 80
    """Length of the shortest video, in snippets."""
    max_snippets: int = 240
    """Length of the longest video, in snippets."""
    snippet_s: float = 0.64
    """Seconds per snippet; the default is 16 frames at 25 frames per second."""
    background_share: float = 0.0
    """Share of the videos without any action or label."""
    difficulty: float = 0.7
    """Difficulty from 0 (clean) to 1: noise, distractors, and agreement of scene and action."""
    seed: int = 0
    """Seed of all random numbers."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            training_videos="[1, inf)",
            validation_videos="[1, inf)",
            classes="[1, inf)",
            feature_dim="[1, inf)",
            min_snippets="[20, inf)",
            max_snippets=f"[{self.min_snippets}, inf)",
            snippet_s="(0, inf)",
            background_share="[0, 1]",
            difficulty="[0, 1]",
            seed="[0, inf)",
        )


def write_simulated(folder: Path, config: SimulationConfig) -> tuple[Path, Path]:
    """Writes a data set to a folder and returns the paths of annotations.json and features/."""
    rng = np.random.default_rng(config.seed)
    simulation = _Simulator(config, rng)
    features = folder / "features"
    features.mkdir(parents=True, exist_ok=True)
    database = {}
    subsets = {"training": config.training_videos, "validation": config.validation_videos}
    for subset, videos in subsets.items():
        for number in range(videos):
            features_TD, annotations = simulation.video(number % config.classes)
            id_ = f"{subset}_{number:03d}"
            np.save(features / f"{id_}.npy", features_TD.astype(np.float16))
            duration_s = round(len(features_TD) * config.snippet_s, 3)
            database[id_] = {
                "subset": subset,
                "duration": duration_s,
                "annotations": annotations,
            }
    annotations_path = folder / "annotations.json"
    annotations_path.write_text(json.dumps({"version": "simulated", "database": database}))
    return annotations_path, features


class _Simulator:
    """Draws videos; scenes, actions and distractors are directions in feature space."""

    def __init__(self, config: SimulationConfig, rng: np.random.Generator) -> None:
        self.config = config
        self.rng = rng
        core = self._directions(config.classes, 1)
        # The phases of an action share a direction, which is strongest in the middle one.
        clarity = np.array([0.7, 1.0, 0.7])[:, None]
        own = self._directions(config.classes, PHASES)
        self.phases = clarity * core + 0.5 * own
        self.scenes = self._directions(config.classes, 1)[:, 0]
        self.distractors = self._directions(3, 1)[:, 0]

    def _directions(self, rows: int, columns: int) -> NDArray[np.float64]:
        direction = self.rng.standard_normal((rows, columns, self.config.feature_dim))
        return np.asarray(direction / np.linalg.norm(direction, axis=-1, keepdims=True))

    def video(self, action: int) -> tuple[NDArray[np.float64], list[dict[str, object]]]:
        """Returns features (T, D) and annotations of a video of one action, rarely of two."""
        config, rng = self.config, self.rng
        snippets = int(rng.integers(config.min_snippets, config.max_snippets + 1))
        is_own_scene = rng.random() < 0.5 + 0.45 * config.difficulty
        scene = action if is_own_scene else int(rng.integers(config.classes))
        features_TD = np.outer(np.ones(snippets), 0.6 * config.difficulty * self.scenes[scene])
        for start, length in self._places(snippets, share=0.3 * config.difficulty):
            distractor = rng.integers(len(self.distractors))
            features_TD[start : start + length] += 0.8 * self.distractors[distractor]
        annotations: list[dict[str, object]] = []
        empty = config.background_share and rng.random() < config.background_share
        for start, length in [] if empty else self._places(snippets, share=0.3):
            shown = action if rng.random() < 0.95 else int(rng.integers(config.classes))
            features_TD[start : start + length] += self._performance(shown, length)
            times = [round((start + edge) * config.snippet_s, 3) for edge in (0, length)]
            annotations.append({"label": f"action_{shown}", "segment": times})
        noise = (0.05 + 0.3 * config.difficulty) * rng.standard_normal(features_TD.shape)
        return np.maximum(features_TD + noise, 0), annotations

    def _places(self, snippets: int, *, share: float) -> list[tuple[int, int]]:
        """Returns (start, length) of disjoint spans that cover about a share of the video."""
        places, position = [], 0
        while share > 0:
            length = int(self.rng.integers(5, 20))
            gap = self.rng.exponential(12 * (1 - share) / share)
            position += 1 + int(gap)
            if position + length > snippets:
                break
            places.append((position, length))
            position += length
        return places or ([(snippets // 2, 6)] if share > 0 else [])

    def _performance(self, action: int, length: int) -> NDArray[np.float64]:
        """Returns the features that one instance of an action adds, (length, D)."""
        phase = np.arange(length) * PHASES // length
        edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
        strength = self.rng.uniform(0.8, 1.2) * np.minimum(edge / (FADE_SNIPPETS + 1), 1)
        return np.asarray(strength[:, None] * self.phases[action][phase])

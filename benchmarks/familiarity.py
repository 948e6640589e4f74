"""Familiarity of held-out videos and of videos of another kind.

    python -m benchmarks.familiarity A.json features --others other_features

Prints the distance of each video over that of the farthest training video, its familiarity, and
whether an answer would have a note.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from training.datasets.native import read_native

from model.arrays import read_features
from model.errors import DataError
from model.familiarity import Familiarity, FeatureStatistics, familiarity
from training.measurement.feature_statistics import feature_statistics


def main() -> None:
    """Measures the validation videos, and the .npy files of another folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--others", type=Path)
    options = parser.parse_args()
    videos = read_native(options.annotations, options.features)
    statistics = feature_statistics(videos.subset("training"))
    if statistics is None:
        raise DataError(f"{options.annotations}: too few training videos")
    held_out = {video.id: video.features() for video in videos.subset("validation").videos}
    _show("validation", held_out, statistics)
    if options.others:
        files = sorted(options.others.glob("*.npy"))
        _show("others", {file.stem: read_features(file) for file in files}, statistics)


def _show(
    title: str, features: Mapping[str, NDArray[np.generic]], statistics: FeatureStatistics
) -> None:
    found: dict[str, Familiarity] = {
        name: familiarity(np.asarray(features_TD, np.float32), statistics)
        for name, features_TD in features.items()
    }
    for name, one in sorted(found.items(), key=lambda item: item[1].excess):
        print(f"{one.excess:6.2f}  {one.share:4.2f}  {'note' if one.note else '':4}  {name}")
    noted = sum(one.note is not None for one in found.values())
    print(f"{title}: {noted} of {len(found)} videos with a note")


if __name__ == "__main__":
    main()

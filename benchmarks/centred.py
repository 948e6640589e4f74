"""Features that are joined by their differences from the mean of the video.

    python -m benchmarks.centred timelines/features timelines_centred
    python -m benchmarks.centred timelines/features timelines_differences --alone

Writes one file for each video, to train on with `ecm fit --features`.

Axes: T snippets, D feature channels.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.arrays import check_features, read_features


def main() -> None:
    """Writes the features of another folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--alone", action="store_true", help="the differences alone")
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    for path in sorted(options.features.glob("*.npy")):
        features_TD = check_features(read_features(path))
        np.save(options.out / path.name, centred(features_TD, alone=options.alone))


def centred(features_TD: NDArray[np.float32], *, alone: bool = False) -> NDArray[np.float32]:
    """Returns features joined by their differences from their mean, (T, 2D), or these alone.

    Channel 1, 2, 6 becomes 1, 2, 6 and -2, -1, 3.
    """
    difference_TD = features_TD - features_TD.mean(axis=0)
    return difference_TD if alone else np.concatenate([features_TD, difference_TD], axis=1)


if __name__ == "__main__":
    main()

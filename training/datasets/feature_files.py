"""Files that contain the features of one video.

Every source returns an unchecked array (T, D): T snippets, D feature channels.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.arrays import read_features
from model.errors import FeatureError


class FeatureSource(Protocol):
    """Location of one video's features."""

    def load(self) -> NDArray[np.generic]:
        """Returns the features, memory-mapped where the format allows it.

        Raises:
            FeatureError: The features cannot be read; the message names the file.
        """
        ...


@dataclass(frozen=True, slots=True)
class NpyFile:
    """One .npy file, (T, D)."""

    path: Path
    """Path of the file."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array, memory-mapped."""
        return read_features(self.path)


@dataclass(frozen=True, slots=True)
class TwoStreamFiles:
    """One .npy file of appearance and one of motion, (T, D / 2) each."""

    rgb: Path
    """File of the appearance stream."""
    flow: Path
    """File of the motion stream."""

    def load(self) -> NDArray[np.generic]:
        """Returns both streams side by side, appearance first."""
        return _side_by_side(read_features(self.rgb), read_features(self.flow), self.rgb)


@dataclass(frozen=True, slots=True)
class ChannelFirstArchive:
    """An .npz of the released ECM code: `feat_spa` and `feat_tem`, each (D / 2, T)."""

    path: Path
    """Path of the file."""

    def load(self) -> NDArray[np.generic]:
        """Returns both streams side by side, appearance first."""
        rgb_DT, flow_DT = (self.read(name) for name in ("feat_spa", "feat_tem"))
        return _side_by_side(rgb_DT.T, flow_DT.T, self.path)

    def read(self, name: str) -> NDArray[np.generic]:
        """Returns one array of the archive."""
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                array: NDArray[np.generic] = archive[name]
                return array
        except FileNotFoundError:
            raise FeatureError(f"no feature file {self.path}") from None
        except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise FeatureError(f"{self.path}: {name} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class HeldArray:
    """An array in memory, for layouts that store all videos in one file."""

    array_TD: NDArray[np.generic]
    """The features."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array."""
        return self.array_TD


@dataclass(frozen=True, slots=True)
class Hdf5Item:
    """One array of an HDF5 file that contains all videos."""

    path: Path
    """Path of the file."""
    key: str
    """Name of the array in the file."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array, and closes the file again."""
        import h5py  # no other layout needs it

        try:
            with h5py.File(self.path, "r") as file:
                array: NDArray[np.generic] = file[self.key][()]
                return array
        except (OSError, KeyError) as error:
            raise FeatureError(f"{self.path}: {self.key} cannot be read: {error}") from error


def _side_by_side(
    rgb_TD: NDArray[np.generic], flow_TD: NDArray[np.generic], path: Path
) -> NDArray[np.generic]:
    if rgb_TD.ndim != 2 or flow_TD.ndim != 2 or len(rgb_TD) != len(flow_TD):
        raise FeatureError(
            f"{path}: expected two streams with equally many snippets, "
            f"got shapes {rgb_TD.shape} and {flow_TD.shape}"
        )
    return np.concatenate([rgb_TD, flow_TD], axis=1)

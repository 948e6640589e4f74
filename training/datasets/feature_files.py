"""Where one video's features lie on disk. All give (snippets, channels), not yet checked."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.arrays import read_features
from model.errors import FeatureError


class FeatureSource(Protocol):
    """The features of one video."""

    def load(self) -> NDArray[np.generic]:
        """Returns them, memory-mapped where the format allows it.

        Raises:
            FeatureError: they cannot be read; the message names the file.
        """
        ...


@dataclass(frozen=True, slots=True)
class NpyFile:
    """One .npy file, (T, D)."""

    path: Path
    """The file."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array, memory-mapped."""
        return read_features(self.path)


@dataclass(frozen=True, slots=True)
class TwoStreamFiles:
    """Appearance and motion in a file each, (T, D / 2), side by side."""

    rgb: Path
    """Appearance."""
    flow: Path
    """Motion."""

    def load(self) -> NDArray[np.generic]:
        """Returns both, appearance first."""
        return _side_by_side(read_features(self.rgb), read_features(self.flow), self.rgb)


@dataclass(frozen=True, slots=True)
class ChannelFirstArchive:
    """An .npz of the released ECM code: `feat_spa` and `feat_tem`, each (D / 2, T)."""

    path: Path
    """The file."""

    def load(self) -> NDArray[np.generic]:
        """Returns both streams, appearance first."""
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
    """An array in memory, of a layout that keeps all videos in one file."""

    array_TD: NDArray[np.generic]
    """The features."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array."""
        return self.array_TD


@dataclass(frozen=True, slots=True)
class Hdf5Item:
    """One data set of an HDF5 file that holds all videos."""

    path: Path
    """The file."""
    key: str
    """Its name inside."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array; the file is open only meanwhile."""
        import h5py  # only this layout needs it

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

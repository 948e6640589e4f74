"""Files that contain the features of one video.

Every source returns an unchecked array (T, D): T snippets, D feature channels.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    """One .npy file."""

    path: Path
    """Path of the file."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array, memory-mapped."""
        return read_features(self.path)


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One array of an .npz file."""

    path: Path
    """Path of the file."""
    name: str
    """Name of the array in the file."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array."""
        try:
            # numpy itself would leave a damaged file open
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                array: NDArray[np.generic] = archive[self.name]
                return array
        except FileNotFoundError:
            raise FeatureError(f"no feature file {self.path}") from None
        except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise FeatureError(f"{self.path}: {self.name} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class HeldArray:
    """An array in memory, for layouts that store all videos in one file."""

    array_TD: NDArray[np.generic]
    """The features."""

    def load(self) -> NDArray[np.generic]:
        """Returns the array."""
        return self.array_TD


@dataclass(frozen=True, slots=True)
class Hdf5Array:
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


@dataclass(frozen=True, slots=True)
class Streams:
    """Features in one or several arrays of equally many snippets, for instance RGB and flow."""

    parts: tuple[FeatureSource, ...]
    """Locations of the arrays, in the order of their channels."""
    channels_first: bool = False
    """Whether the arrays are stored as (channels, snippets)."""

    def load(self) -> NDArray[np.generic]:
        """Returns the arrays side by side."""
        stored = [part.load() for part in self.parts]
        arrays = [array.T for array in stored] if self.channels_first else stored
        if len(arrays) == 1:
            return arrays[0]
        if any(array.ndim != 2 or len(array) != len(arrays[0]) for array in arrays):
            shapes = " and ".join(str(array.shape) for array in stored)
            raise FeatureError(
                f"{self.parts[0]}: expected streams with equally many snippets, got shapes {shapes}"
            )
        return np.concatenate(arrays, axis=1)


def snippets_first(sources: Mapping[str, FeatureSource]) -> Mapping[str, FeatureSource] | None:
    """Returns the sources with their two axes exchanged; None if the axes are as expected.

    All videos of a data set have the same channels, and their lengths differ. Features are
    therefore transposed if the first axis is the same in all videos, and the second differs in
    most. Fewer than three videos, and videos of few lengths, cannot be judged.

    Args:
        sources: Locations of the features by id of the video. Files that cannot be read are
            passed over.
    """
    streams = {
        id_: source if isinstance(source, Streams) else Streams((source,))
        for id_, source in sources.items()
    }
    every = list(streams.values())
    for judged in (every[:_GLANCE], every):
        if not _are_transposed(judged):
            return None
    return {
        id_: replace(source, channels_first=not source.channels_first)
        for id_, source in streams.items()
    }


_GLANCE = 8
"""Videos that are opened first. Only where their axes look exchanged are all others opened."""
_ENOUGH = 3


def _are_transposed(sources: Sequence[Streams]) -> bool:
    shapes = []
    for source in sources:
        try:
            shape = source.parts[0].load().shape
        except FeatureError:
            continue
        if len(shape) != 2:
            return False
        shapes.append(shape[::-1] if source.channels_first else shape)
    first, second = {shape[0] for shape in shapes}, {shape[1] for shape in shapes}
    return len(shapes) >= _ENOUGH and len(first) == 1 and len(second) > len(shapes) / 2

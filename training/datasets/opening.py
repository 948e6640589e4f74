"""Opens a data set in any of the known layouts."""

from pathlib import Path
from types import ModuleType

from model.errors import DataError
from training.datasets.feature_clock import FeatureRate
from training.datasets.layouts import activitynet, basnet, native, released_ecm, wtalc
from training.datasets.video_record import VideoSet

LAYOUTS: dict[str, ModuleType] = {
    "native": native,
    "BaS-Net": basnet,
    "W-TALC": wtalc,
    "released ECM": released_ecm,
    "ActivityNet": activitynet,
}
"""Layouts by name. A folder has the first one that matches."""


def layout_of(folder: Path) -> str:
    """Returns the name of a folder's layout.

    Raises:
        DataError: The folder has no known layout; the message lists the expected files of each
            layout and the files found.
    """
    if not folder.is_dir():
        raise DataError(f"no data folder {folder}")
    for name, layout in LAYOUTS.items():
        if layout.matches(folder):
            return name
    expected = "\n".join(f"  {name}: {layout.EXPECTED}" for name, layout in LAYOUTS.items())
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
    raise DataError(f"{folder} has no known layout; expected one of\n{expected}\nfound: {there}")


def open_data(folder: Path, rate: FeatureRate | None = None) -> VideoSet:
    """Returns the videos of a folder in any known layout.

    Args:
        folder: Folder of the data set.
        rate: Rate of the features; that of the layout if not given.

    Raises:
        DataError: The folder has no known layout, or a file does not fit the layout.
    """
    videos: VideoSet = LAYOUTS[layout_of(folder)].read(folder, rate)
    return videos

"""Orientation of frames where the binding gives no matrix."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.video.frame_pixels import shape_of
from features.video.reading import probe


class Unknown(SimpleNamespace):
    """A frame with side data whose kind the binding does not know."""

    @property
    def side_data(self) -> Any:
        """Raises what the binding raises."""
        raise ValueError("29 is not a valid Type")


@pytest.mark.parametrize(
    ("rotation", "orientation"),
    [(0, (False, False, False)), (-90, (True, True, False)), (90, (True, False, True)),
     (180, (False, True, True)), (-180, (False, True, True))],
)  # fmt: skip
def test_frames_with_unknown_side_data_are_turned(
    rotation: int, orientation: tuple[bool, bool, bool]
) -> None:
    """The orientation is that of the matrix of the same rotation, counterclockwise."""
    frame: Any = Unknown(width=96, height=64, rotation=rotation)
    shape = shape_of(frame, None)
    assert orientation == (shape.transposed, shape.mirrored, shape.upside_down)


def test_reference_video_with_unknown_side_data_is_turned(shared: Callable[[str], Path]) -> None:
    """Its coded frames are 1934 pixels wide and 2160 high."""
    info = probe(shared("data/cases/video/mvhevc_turned_90.mov"))
    assert (info.width, info.height) == (2160, 1934)

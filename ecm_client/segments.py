"""One action segment."""

from typing import NamedTuple


class Segment(NamedTuple):
    """One occurrence of an action in a video.

    A tuple, because a video can have thousands of candidate segments.
    """

    start_s: float
    """Start of the action in seconds from the start of the video."""
    end_s: float
    """End of the action in seconds from the start of the video."""
    label: str
    """Name of the action."""
    score: float = 1.0
    """Confidence, comparable within one model. Ground truth has 1."""

"""Limits on the size of a video; importing them loads no FFmpeg."""

from dataclasses import dataclass

from model.validation import check_ranges


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """Limits on the size of a video. They apply to decoded frames, not to the header."""

    max_frame_pixels: int = 4096 * 4096
    """Largest number of pixels of a coded frame; 8K has twice as many."""
    max_duration_s: float = 12 * 3600.0
    """Largest number of seconds from the start of the file to the last frame."""
    max_frames: int = 3_000_000
    """Largest number of coded frames: a little more than 12 hours of 60 frames a second."""

    def __post_init__(self) -> None:
        check_ranges(
            self, max_frame_pixels="[1, inf)", max_duration_s="(0, inf)", max_frames="[1, inf)"
        )

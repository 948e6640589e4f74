"""Segments as an edit decision list in the format CMX 3600, for video editors.

Every segment is a cut from the video, and the cuts follow each other in the recorded sequence.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import PurePath

from ecm_client.errors import FormatError
from ecm_client.formats.video_segments import VideoSegments, caption, one_line

_DROPPED_FRAMES = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}
"""Frame numbers that drop-frame time code leaves out at each minute but every tenth."""
_HIGHEST_RATE_FPS = 100
"""CMX 3600 has two digits for frames."""


def edl_text(videos: Sequence[VideoSegments]) -> str:
    """Returns the edit decision list of one video, by time.

    29.97 and 59.94 frames a second have drop-frame time code, as on their clocks. All other rates
    have non-drop-frame time code with as many frames a second as the rate rounds to.

    Raises:
        FormatError: the frame rate is not known, or too high for time code.
    """
    (video,) = videos
    rate = video.exact_rate
    if not 1 <= round(rate) <= _HIGHEST_RATE_FPS:
        raise FormatError(
            f"{video.media} has {float(rate):g} frames a second, and CMX 3600 counts 1 to "
            f"{_HIGHEST_RATE_FPS}; give the frame rate of the sequence in the editor"
        )
    mode = "DROP FRAME" if rate in _DROPPED_FRAMES else "NON-DROP FRAME"
    lines = [f"TITLE: {one_line(video.video_id or video.media)}", f"FCM: {mode}", ""]
    name = one_line(PurePath(video.media).name or video.media)
    record = 0
    for number, (start, end, segment) in enumerate(video.in_frames(), 1):
        frames = (start, end, record, record + end - start)
        record = frames[-1]
        codes = " ".join(time_code(frame, rate) for frame in frames)
        lines.append(f"{number:03d}  AX       V     C        {codes}")
        lines += [f"* FROM CLIP NAME: {name}", f"* COMMENT: {caption(segment)}", ""]
    return "\n".join(lines)


def time_code(frame: int, rate: Fraction) -> str:
    """Returns the SMPTE time code of a frame, hh:mm:ss:ff, or hh:mm:ss;ff with dropped numbers.

    The numbers start again after 24 hours. At 29.97, frame 1799 is 00:00:59;29 and frame 1800 is
    00:01:00;02, because 00:01:00;00 and ;01 are left out.
    """
    base, dropped = round(rate), _DROPPED_FRAMES.get(rate, 0)
    minute = 60 * base - dropped
    tens, rest = divmod(frame, 10 * minute + dropped)
    frame += 9 * dropped * tens + dropped * (max(0, rest - dropped) // minute)
    seconds, frames = divmod(frame, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}{';' if dropped else ':'}{frames:02d}"

"""Small videos of random images, each of them different."""

import io

import av
import numpy as np

_SIZE = (48, 64)
"""Height and width in pixels."""
_RATE_FPS = 25


def tiny_video(seed: int, *, seconds: float = 2.0) -> bytes:
    """Returns an mp4 file in which a random image moves."""
    rng = np.random.default_rng(seed)
    image_HWC = rng.integers(0, 256, (*_SIZE, 3), dtype=np.uint8)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=_RATE_FPS)
        video.height, video.width = _SIZE
        video.pix_fmt = "yuv420p"
        for number in range(round(_RATE_FPS * seconds)):
            moved_HWC = np.roll(image_HWC, number, axis=1)
            container.mux(video.encode(av.VideoFrame.from_ndarray(moved_HWC, format="rgb24")))
        container.mux(video.encode())
    return file.getvalue()

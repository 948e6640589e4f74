"""Windows over the images of a video: the frames that belong to each snippet.

Axes: F frames, H height, W width, C the channels red, green and blue.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Frame: TypeAlias = NDArray[np.uint8]
"""An image (H, W, 3)."""


class Noted(Protocol):
    """An image of a video that has a digest."""

    def digest(self) -> str:
        """Returns a digest of the image."""


Image = TypeVar("Image", bound=Noted)


@dataclass(frozen=True, slots=True)
class Windows:
    """The place of the window of each snippet.

    Snippet t starts at frame t * stride. Its window starts `before` frames earlier and contains
    `length` + 1 frames. With stride 4 and length 4, the windows are 0 to 4, 4 to 8 and so on; with
    stride 4 and length 8, they are -2 to 6, 2 to 10 and so on.
    """

    stride: int
    """Frames from the start of a snippet to the start of the next."""
    length: int
    """Frames of a window, without its last one; at least `stride`."""

    @property
    def before(self) -> int:
        """Frames of a window before the start of its snippet; as many, or one more, are after."""
        return (self.length - self.stride) // 2

    def first_image(self, snippet: int) -> int:
        """Returns the index of the first image of a snippet's window."""
        return max(0, snippet * self.stride - self.before)

    def noted(
        self, images: Iterable[Image], first: int, note: Callable[[int, str], None]
    ) -> Iterator[Image]:
        """Yields images from an index on; notes snippet and digest where a window starts."""
        for index, image in enumerate(images, first):
            snippet, inside = divmod(index + self.before, self.stride)
            if inside == 0:
                note(snippet, image.digest())
            yield image

    def cut(self, images: Iterable[Frame], *, snippet: int) -> Iterator[Frame]:
        """Yields the windows (F, H, W, C) from a snippet on.

        Before the first and after the last image of the video, that image is repeated. A remainder
        of less than half a stride has no window, unless it is the whole video. For stride and
        length 2, the images 0 to 4 have the windows 0 1 2, 2 3 4 and 4 4 4. As long as one image is
        repeated, the windows are one and the same array.

        Args:
            images: images (H, W, 3), from `first_image` of the snippet to the end of the video.
            snippet: index of the first snippet.
        """
        return _stacked(self._groups(images, snippet))

    def _groups(self, images: Iterable[Frame], snippet: int) -> Iterator[list[Frame]]:
        group: list[Frame] = []
        whole = snippet == 0
        for image_HWC in images:
            if not group:
                group = [image_HWC] * (self.before - snippet * self.stride)
            group.append(image_HWC)
            if len(group) > self.length:
                yield group
                group, whole = group[self.stride :], False
        while group and (whole or 2 * (len(group) - self.before) >= self.stride):
            yield group + group[-1:] * (self.length + 1 - len(group))
            group, whole = group[self.stride :], False


def _stacked(groups: Iterable[list[Frame]]) -> Iterator[Frame]:
    """Yields each group as an array, the same one as long as a single image is repeated."""
    image, still = None, np.empty(0, np.uint8)
    for group in groups:
        if any(other is not group[0] for other in group):
            yield np.stack(group)
            continue
        if group[0] is not image:
            image, still = group[0], np.stack(group)
        yield still

"""Extractors that were tried beside `motion` (benchmarks/motion_designs.py).

Axes: F frames, P pairs of frames, A pairs of neighbouring pairs, H height, W width, C the channels
red, green and blue, X the components along x and y, R and S rows and columns of cells, N values
that describe a cell.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from features.extraction import find_videos
from features.extractors import snippet_clock
from features.flow.opencv import to_grey
from features.motion import MotionExtractor, cell_means, cuts, describe, speeds
from features.video.reading import read_snippets
from features.video_ids import match_ids
from model.whole_file import whole_file
from training.datasets.annotations import read_annotations

Floats: TypeAlias = NDArray[np.float32]
Frames: TypeAlias = NDArray[np.uint8]

MOVING_PX = 0.25
"""Speed of a pixel that moves, in pixels a frame."""
VIDEO_FPS = 25
"""Frames a second of the videos, for the speed."""
WHOLE = (slice(None), slice(None))


class Equalized(MotionExtractor):
    """Flow of frames whose contrast is equalized in 8 x 8 tiles, with a limit (CLAHE)."""

    def _row(self, frames_FHWC: Frames) -> Floats:
        clahe = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8))
        grey_FHW = np.stack([clahe.apply(grey_HW) for grey_HW in to_grey(frames_FHWC)])
        return super()._row(np.repeat(grey_FHW[..., None], 3, axis=-1))


class Foreground(MotionExtractor):
    """Flow of the foreground alone, by a mixture of Gaussians that begins again at a cut."""

    def features(self, snippets: Iterable[Frames]) -> Iterator[Floats]:
        """Yields the rows of the snippets of one video, which depend on earlier snippets."""
        self._background = _background()
        flow = self._flow
        self._flow = lambda grey_FHW: flow(grey_FHW) * self._masks(grey_FHW)
        try:
            yield from map(self._row, snippets)
        finally:
            self._flow = flow

    def _masks(self, grey_FHW: Frames) -> Floats:
        """Returns 1 for the foreground of the second frame of each pair, (P, H, W, 1)."""
        masks = []
        for grey_HW, is_cut in zip(grey_FHW[1:], cuts(grey_FHW), strict=True):
            self._background = _background() if is_cut else self._background
            masks.append(self._background.apply(grey_HW) > 0)
        return np.stack(masks)[..., None].astype(np.float32)


def _background() -> Any:
    return cv2.createBackgroundSubtractorMOG2(history=16, varThreshold=16, detectShadows=False)


class Windows(MotionExtractor):
    """Channels of `motion` in the busiest 1 x 1, 2 x 2 and 4 x 4 cells."""

    def _row(self, frames_FHWC: Frames) -> Floats:
        flow_PHWX, counts_P = _seen(self, frames_FHWC)
        speed_RS = speeds(flow_PHWX)[counts_P].mean(axis=0)
        described = describe(flow_PHWX, counts_P).values()
        regions = [_busiest(speed_RS, size) for size in (1, 2, 4)]
        return np.concatenate([_roots(x[:, *region]) for region in regions for x in described])


class Jerk(MotionExtractor):
    """Channels of `motion` where the flow changes most and where it shears most, in 3 x 3 cells."""

    def _row(self, frames_FHWC: Frames) -> Floats:
        described = describe(*_seen(self, frames_FHWC))
        changes_ARS = described["acceleration"][..., -1]
        shears_PRS = described["deformation"][..., -1]
        regions = [_busiest(values.sum(axis=0), 3) for values in (changes_ARS, shears_PRS)]
        return np.concatenate(
            [_roots(x[:, *region]) for region in regions for x in described.values()]
        )


class Moving(MotionExtractor):
    """Channels of `motion` as a mean over the pixels that move, and the share of these pixels."""

    def _row(self, frames_FHWC: Frames) -> Floats:
        flow_PHWX, counts_P = _seen(self, frames_FHWC)
        moves_PHW = np.hypot(flow_PHWX[..., 0], flow_PHWX[..., 1]) > MOVING_PX
        share_RSN = cell_means(moves_PHW)[counts_P].mean(axis=0)
        described = describe(flow_PHWX, counts_P).values()
        parts = []
        for region in (_busiest(speeds(flow_PHWX)[counts_P].mean(axis=0), 3), WHOLE):
            share = share_RSN[region].mean()
            parts += [_roots(x[:, *region] / (share + 0.02)) for x in described]
            parts.append(np.array([np.sqrt(share)], np.float32))
        return np.concatenate(parts)


class Change(MotionExtractor):
    """Change of the grey levels above the noise, relative to the contrast of a cell; no flow."""

    def _row(self, frames_FHWC: Frames) -> Floats:
        grey_FHW = to_grey(frames_FHWC).astype(np.float32)
        counts_P = ~cuts(to_grey(frames_FHWC))
        first_PHW = np.diff(grey_FHW, axis=0)
        change_PRSN = _relative(first_PHW, grey_FHW)[counts_P]
        jerk_ARSN = _relative(np.diff(first_PHW, axis=0), grey_FHW)[counts_P[1:] & counts_P[:-1]]
        energy_RS = change_PRSN[..., 0].mean(axis=0)
        regions = (_busiest(energy_RS, 1), _busiest(energy_RS, 3), WHOLE)
        return np.concatenate(
            [_roots(x[:, *region]) for region in regions for x in (change_PRSN, jerk_ARSN)]
        )


def _relative(change_PHW: Floats, grey_FHW: Floats) -> Floats:
    """Returns mean change over contrast, and share of changed pixels, of each cell, (P, R, S, 2).

    The noise of a pair is its median change. Less than three times of it is no change.
    """
    change_PHW = np.abs(change_PHW)
    noise_P11 = np.median(change_PHW, axis=(1, 2), keepdims=True)
    above_PHW = np.maximum(change_PHW - 3 * noise_P11 - 1, 0)
    moments_N = cell_means(grey_FHW, grey_FHW**2).mean(axis=0)
    contrast_RS = np.sqrt(np.maximum(moments_N[..., 1] - moments_N[..., 0] ** 2, 0))
    found_PRSN = cell_means(above_PHW, above_PHW > 0)
    found_PRSN[..., 0] /= contrast_RS + 4
    return found_PRSN


def _seen(extractor: MotionExtractor, frames_FHWC: Frames) -> tuple[Floats, NDArray[np.bool_]]:
    grey_FHW = to_grey(frames_FHWC)
    return extractor._flow(grey_FHW)[:, ::2, ::2], ~cuts(grey_FHW)


def _busiest(speed_RS: Floats, size: int) -> tuple[slice, slice]:
    sums_RS = sliding_window_view(speed_RS, (size, size)).sum(axis=(2, 3))
    row, column = np.unravel_index(int(sums_RS.argmax()), sums_RS.shape)
    return slice(int(row), int(row) + size), slice(int(column), int(column) + size)


def _roots(values_PRSN: Floats) -> Floats:
    """Returns mean and standard deviation of the square roots over the pairs, 0 without pairs."""
    roots_PN = np.sqrt(values_PRSN.mean(axis=(1, 2)))
    roots_PN = roots_PN if len(roots_PN) else np.zeros((1, roots_PN.shape[1]), np.float32)
    return np.concatenate([roots_PN.mean(axis=0), roots_PN.std(axis=0)])


EXTRACTORS = {
    "motion": MotionExtractor,
    "clahe": Equalized,
    "foreground": Foreground,
    "windows": Windows,
    "jerk": Jerk,
    "moving": Moving,
    "change": Change,
}


def extract(
    names: Collection[str], annotations: Path, videos: Path, out: Path, first: int | None = None
) -> None:
    """Writes missing features of the first training videos, or of all, and prints the speeds.

    A video is decoded once for all extractors. Their speed does not include decoding.
    """
    training = [one.id for one in read_annotations(annotations) if one.subset == "training"]
    files, spent_s, played_s = find_videos(videos), Counter[str](), Counter[str]()
    for id_, file in match_ids(training[:first], files).items():
        missing = [name for name in names if not (out / name / f"{id_}.npy").is_file()]
        snippets = list(_snippets(files[file])) if missing else []
        for name in missing:
            began_s = time.process_time()
            rows_TD = np.stack(list(EXTRACTORS[name]().features(snippets)))
            spent_s[name] += time.process_time() - began_s
            played_s[name] += len(rows_TD) * snippet_clock(MotionExtractor()).snippet_s
            (out / name).mkdir(parents=True, exist_ok=True)
            with whole_file(out / name / f"{id_}.npy") as stream:
                np.save(stream, rows_TD)
    for name, duration_s in played_s.items():
        print(f"{name}: {VIDEO_FPS * duration_s / spent_s[name]:.0f} frames a second", flush=True)


def _snippets(video: Path) -> Iterator[NDArray[np.uint8]]:
    motion = MotionExtractor
    return read_snippets(
        video, rate_fps=motion.rate_fps, snippet_frames=motion.snippet_frames,
        short_side=motion.short_side, threads=1,
    )  # fmt: skip

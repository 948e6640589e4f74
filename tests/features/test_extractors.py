"""The interface of extractors, with `motion` as an example."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from features.extractors import Extractor, open_extractor, uses_tvl1, video_rows
from features.motion import MotionExtractor
from features.video.reading import read_snippets
from model.errors import OptionError


@pytest.fixture
def extractor() -> Extractor:
    return open_extractor("motion")


@pytest.fixture
def snippets(extractor: Extractor, film: Callable[..., Path], tmp_path: Path) -> list[np.ndarray]:
    """Five snippets of a video whose bars change with each frame."""
    path = film(tmp_path / "video.mp4", [n / 25 for n in range(80)], size=(160, 96))
    return list(read_snippets(path, rate_fps=extractor.rate_fps,
                              snippet_frames=extractor.snippet_frames,
                              short_side=extractor.short_side))  # fmt: skip


def test_rows_are_float32_of_the_stated_width(
    extractor: Extractor, snippets: list[np.ndarray]
) -> None:
    """There is one finite row for each snippet."""
    rows = list(extractor.features(snippets))
    assert len(rows) == 5
    for row in rows:
        assert row.dtype == np.float32
        assert row.shape == (extractor.feature_dim,)
        assert np.isfinite(row).all()


def test_row_depends_on_its_snippet_alone(extractor: Extractor, snippets: list[np.ndarray]) -> None:
    """It has the same bits alone, in another order, and in several threads."""
    together = list(extractor.features(snippets))
    for snippet, row in zip(snippets, together, strict=True):
        np.testing.assert_array_equal(row, next(extractor.features([snippet])))
    backwards = open_extractor("motion", threads=3).features(snippets[::-1])
    np.testing.assert_array_equal(together[::-1], list(backwards))


def test_snippets_are_taken_as_they_are_needed(
    extractor: Extractor, snippets: list[np.ndarray]
) -> None:
    """A long video need not be in memory."""
    taken = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for snippet in snippets:
            taken += 1
            yield snippet

    next(extractor.features(counted()))
    assert taken == 1


def test_extractor_opens_by_its_name_and_by_its_id(extractor: Extractor) -> None:
    """A spec contains the id; any other name is an error that contains it."""
    assert open_extractor(extractor.id).id == extractor.id
    with pytest.raises(OptionError, match="no extractor 'motion-0'"):
        open_extractor("motion-0")


def test_motion_has_no_use_for_tv_l1_flow(extractor: Extractor) -> None:
    """No GPU is looked for."""
    assert not uses_tvl1(extractor)


def test_module_is_light() -> None:
    """OpenCV, FFmpeg and torch are not loaded before the first extraction."""
    heavy = "import sys, features.extractors; print({'av', 'cv2', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_an_image_shown_for_hours_is_computed_once(
    film: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is repeated as often as it is shown."""
    path = film(tmp_path / "still.mp4", [0, 0.04, 3600, 3600.04, 3600.6, 3600.7, 3601.3])
    computed = []
    row = MotionExtractor._row
    monkeypatch.setattr(
        MotionExtractor, "_row", lambda self, frames: computed.append(1) or row(self, frames)
    )
    rows = list(video_rows(open_extractor("motion"), path))
    assert pytest.approx(6002, abs=1) == len(rows)
    assert 3 <= len(computed) < 8
    np.testing.assert_array_equal(rows[1], rows[5000])

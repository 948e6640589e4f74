"""`python -m benchmarks.motion_designs`, on a few small films."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from features.motion import MotionExtractor
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord

ROOT = Path(__file__).parents[2]
SHAPE = (MotionExtractor.snippet_frames + 1, 128, 160, 3)


@pytest.fixture
def designs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.motion_designs")


@pytest.fixture
def extractors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The extractors that the script compares."""
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.motion_extractors")


def record(name: str, rows_TD: np.ndarray, *labels: str) -> VideoRecord:
    return VideoRecord(name, "training", 0.6 * len(rows_TD), labels, (), HeldArray(rows_TD))


def test_designs_are_compared_with_the_first(
    designs: ModuleType,
    tmp_path: Path,
    film: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row for each; videos of another subset are not read, and no result is computed twice."""
    (tmp_path / "videos").mkdir()
    database = {"other": {"subset": "validation", "duration": 3.0, "annotations": []}}
    for number in range(6):
        rate = 12.5 * (1 + number % 2)  # two kinds of films, a scene each
        film(tmp_path / f"videos/v{number}.mp4", [n / rate for n in range(int(3 * rate))])
        runs = [{"label": "Run", "segment": [0.6, 1.8]}] if number < 3 else []
        database[f"v{number}"] = {"subset": "training", "duration": 3.0, "annotations": runs}
    (tmp_path / "videos/other.mp4").write_bytes(b"no video")
    (tmp_path / "a.json").write_text(json.dumps({"database": database}))
    words = [
        "a.json",
        "videos",
        "--out",
        "out",
        "--seeds",
        "1",
        "--set",
        "epochs=1",
        "hidden_width=8",
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["motion_designs", *words, "--designs", "motion", "gains"])
    designs.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("`")[1] for line in lines if line.startswith("| `")] == ["motion", "gains"]
    assert "| +0.0 (" in next(line for line in lines if line.startswith("| `motion`"))
    written = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    designs.main()
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == written


@pytest.mark.parametrize("name", ["centred", "normalized", "ranked", "in_context"])
@pytest.mark.parametrize("snippets", [1, 9])
def test_transforms_keep_the_features(designs: ModuleType, name: str, snippets: int) -> None:
    """They append as many channels, which are finite in a video of one snippet as well."""
    rows_TD = np.random.default_rng(0).standard_normal((snippets, 4)).astype(np.float32)
    changed_TD = getattr(designs, name)(rows_TD)
    assert changed_TD.shape == (snippets, 8)
    np.testing.assert_array_equal(changed_TD[:, :4], rows_TD)
    assert np.isfinite(changed_TD).all()


def test_gain_leaves_still_snippets(designs: ModuleType) -> None:
    """Every other snippet moves away from the row of a still image by one factor."""
    still_D = next(MotionExtractor().features([np.zeros(SHAPE, np.uint8)]))
    video = record("v", np.stack([still_D, still_D + 1, still_D + 2]))
    change_TD = designs.with_gain(video, [], np.random.default_rng(0)).features() - still_D
    assert not change_TD[0].any()
    assert 2**-0.5 <= change_TD[1, 0] <= 2**0.5
    np.testing.assert_allclose(change_TD[2], 2 * change_TD[1], rtol=1e-4)


def test_background_has_no_tag(designs: ModuleType) -> None:
    """It makes a video longer; the tags stay."""
    video = record("v", np.ones((3, 2), np.float32), "Run")
    others = [video, record("w", np.zeros((2, 2), np.float32))]
    longer = designs.with_background(video, others, np.random.default_rng(0))
    assert longer.labels == ("Run",)
    assert longer.duration_s == pytest.approx(3.0)
    assert sorted(longer.features()[:, 0]) == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", ["clahe", "foreground", "windows", "jerk", "moving", "change"])
def test_rows_of_extractors_are_finite(extractors: ModuleType, name: str) -> None:
    """Those of a still video, of one that moves, and of one with a cut in each pair."""
    noise = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    moving = np.stack([np.roll(noise[0], step, axis=1) for step in range(len(noise))])
    snippets = [np.zeros(SHAPE, np.uint8), moving, noise]
    rows_TD = np.stack(list(extractors.EXTRACTORS[name]().features(snippets)))
    assert np.isfinite(rows_TD).all()
    assert not np.allclose(rows_TD[0], rows_TD[1])

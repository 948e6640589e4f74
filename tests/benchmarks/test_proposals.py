"""`python -m benchmarks.proposals`, on a few simulated videos."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from training.datasets.simulated import SimulationConfig, write_simulated

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The part of the script that describes proposals."""
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.proposals.pools")


def test_bins_have_the_mean_of_their_part_of_a_video(pools: ModuleType) -> None:
    """A bin may divide snippets, and values continue beyond the end of the video."""
    values_TD = np.arange(8, dtype=np.float32)[:, None]
    places_N2 = np.array([[2.0, 6.0], [6.0, 10.0]])
    windows_NBD = pools.bin_means(values_TD, places_N2, pools.WINDOWS)
    np.testing.assert_allclose(windows_NBD[..., 0], [[1, 3.5, 6], [5, 6.75, 7]])
    bins_NBD = pools.bin_means(values_TD, places_N2, pools.BINS)
    np.testing.assert_allclose(bins_NBD[0, :, 0], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6])


def test_table_has_a_row_for_each_score_of_each_head(tmp_path: Path) -> None:
    """The network of a seed is kept, so that other heads can learn from its proposals."""
    config = SimulationConfig(
        training_videos=9, validation_videos=4, classes=2, feature_dim=8, min_snippets=40,
        max_snippets=60,
    )  # fmt: skip
    annotations, features = write_simulated(tmp_path, config)
    small = ["--set", "epochs=2", "hidden_width=8", "--heads", "published", "average", "truth"]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.proposals", annotations, features, "--preset", "demo",
         "--runs", tmp_path / "runs", "--within", "--resamples", "2", *small],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    rows = [line.split("|")[1].strip() for line in ended.stdout.splitlines() if line[:1] == "|"]
    assert {"network of tags", "published: product", "truth: tIoU, edges moved"} <= set(rows)
    assert (tmp_path / "runs" / "within-0" / "last.pt").is_file()

"""Choices of the machine do not change the trained network."""

import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import DeviceError, OptionError
from training.checkpoint import LAST, Checkpoint, load_checkpoint
from training.datasets.video_record import VideoSet
from training.execution import Execution
from training.loop import fit
from training.presets import preset

ROOT = Path(__file__).parents[2]
SMALL = preset("demo").override({"hidden_width": 16, "snippets": 40, "epochs": 3, "batch_size": 10})


def assert_same_network(one: Checkpoint, other: Checkpoint, *, tolerance: float) -> None:
    for name, value in one.network_state.items():
        torch.testing.assert_close(
            value,
            other.network_state[name],
            atol=tolerance,
            rtol=0,
            msg=lambda m, n=name: f"{n}: {m}",
        )


@pytest.mark.parametrize("absence", ["own", "released"])
def test_gradient_of_micro_batches_equals_that_of_the_step(
    simulated: VideoSet, tmp_path: Path, absence: str
) -> None:
    """Accumulated over 3 + 3 + 3 + 1 videos, with dropout."""
    training, recipe = simulated.subset("training"), SMALL.override({"absence": absence})
    whole = fit(training, None, recipe, tmp_path / "whole")
    parts = fit(training, None, recipe, tmp_path / "parts", execution=Execution(micro_batch_size=3))
    assert_same_network(whole, parts, tolerance=2e-5)


def test_processes_train_the_network_of_one(simulated: VideoSet, tmp_path: Path) -> None:
    """`torchrun` with two and three gloo processes, with dropout.

    In some steps a process has no video (24 = 23 + 1 at a batch size of 23). In one variant the
    weight transition gets no gradient.
    """
    training, validation = simulated.subset("training"), simulated.subset("validation")
    one_stream = {"post": 0.0, "alpha": 0.0, "beta": 0.0}
    for processes, batch_size, terms in ((2, 10, {}), (3, 23, one_stream)):
        recipe = SMALL.override({"batch_size": batch_size, **terms})
        alone = fit(training, validation, recipe, tmp_path / f"alone_{processes}")
        out = tmp_path / f"together_{processes}"
        words = f"--hidden-width 16 --snippets 40 --epochs 3 --batch-size {batch_size}".split()
        words += [word for name in terms for word in (f"--{name}", "0")]
        data = ["--data", str(Path(simulated.source).parent), "--out", str(out)]
        subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone",
             f"--nproc-per-node={processes}", "-m", "training", "fit", "--preset", "demo",
             "--device", "cpu", *data, *words],
            cwd=ROOT, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        together = load_checkpoint(out)
        assert together.epoch == 3
        assert_same_network(alone, together, tolerance=2e-5)
        assert together.best_score == pytest.approx(alone.best_score or 0, abs=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # in torch itself
def test_compiled_step_trains_the_same_network(simulated: VideoSet, tmp_path: Path) -> None:
    """Compilation changes rounding only."""
    training, recipe = simulated.subset("training"), replace(SMALL, epochs=1)
    plain = fit(training, None, recipe, tmp_path / "plain")
    compiled = fit(training, None, recipe, tmp_path / "c", execution=Execution(compile=True))
    assert_same_network(plain, compiled, tolerance=2e-4)


def test_unusable_choices_are_refused() -> None:
    """The message names the expected values."""
    with pytest.raises(OptionError, match=r"micro_batch_size must be in \[1, inf\)"):
        Execution(micro_batch_size=0)
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="no CUDA GPU"):
            Execution(device="cuda").torch_device()


def test_full_disk_ends_with_a_clear_error_and_an_intact_checkpoint(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """A limit on the size of files, half of a checkpoint, stands in for the full disk."""
    data = ["--data", str(Path(simulated.source).parent), "--validation-subset", "none"]
    words = [sys.executable, "-m", "training", "fit", "--preset", "demo", "--device", "cpu",
             "--snippets", "40", *data, "--out", str(tmp_path)]  # fmt: skip
    small = [*words, "--hidden-width", "16"]
    subprocess.run([*small, "--epochs", "2"], cwd=ROOT, check=True, capture_output=True)
    before = (tmp_path / LAST).read_bytes()

    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2))

    ended = subprocess.run(
        [*small, "--epochs", "4"], cwd=ROOT, capture_output=True, text=True, preexec_fn=fill_disk
    )
    assert ended.returncode == 1
    assert "error:" in ended.stderr
    assert LAST in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / LAST).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".partial"] == []
    subprocess.run([*small, "--epochs", "4"], cwd=ROOT, check=True, capture_output=True)
    assert load_checkpoint(tmp_path).epoch == 4


def test_feature_file_that_vanishes_leaves_the_last_epoch(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """The error names the video whose file became NaN; a repaired file resumes the run."""
    folder = tmp_path / "data"
    shutil.copytree(Path(simulated.source).parent, folder)
    words = [sys.executable, "-m", "training", "fit", "--preset", "demo", "--device", "cpu",
             "--hidden-width", "16", "--snippets", "40", "--data", str(folder),
             "--feature-memory-gib", "0", "--out", str(tmp_path / "run")]  # fmt: skip
    subprocess.run([*words, "--epochs", "2"], cwd=ROOT, check=True, capture_output=True)
    path = sorted((folder / "features").glob("training_*.npy"))[0]
    content = np.load(path)
    np.save(path, np.full_like(content, np.nan))
    for out, status in ((tmp_path / "run", 2), (tmp_path / "fresh", 1)):  # changed, and unusable
        ended = subprocess.run([*words, "--epochs", "4", "--out", str(out)], cwd=ROOT,
                               capture_output=True, text=True)  # fmt: skip
        assert ended.returncode == status
        assert path.stem in ended.stderr
        assert "Traceback" not in ended.stderr
    assert load_checkpoint(tmp_path / "run").epoch == 2
    np.save(path, content)
    subprocess.run([*words, "--epochs", "4"], cwd=ROOT, check=True, capture_output=True)
    assert load_checkpoint(tmp_path / "run").epoch == 4

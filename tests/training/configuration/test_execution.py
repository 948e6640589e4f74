"""Choices of the machine do not change the trained network."""

import json
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
from training.__main__ import main
from training.checkpoint import LAST, Checkpoint, load_checkpoint
from training.configuration.execution import Execution
from training.configuration.presets import preset
from training.datasets.video_record import VideoSet
from training.loop import fit

ROOT = Path(__file__).parents[3]
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


TWO_RUNS = """
import json, sys
from contextlib import nullcontext
from training.__main__ import main
from training.commands import fit
with fit.join_process_group("cpu") as group:  # torchrun's processes can join once only
    fit.join_process_group = lambda _: nullcontext(group)
    for words in json.loads(sys.argv[1]):
        assert main(words) == 0
"""


def test_processes_train_the_network_of_one(simulated: VideoSet, tmp_path: Path) -> None:
    """`torchrun` with three gloo processes, with dropout.

    In some steps a process has no video (24 = 23 + 1 at a batch size of 23). In one variant the
    weight transition gets no gradient. The other one learns from the segments of all videos.
    """
    training, validation = simulated.subset("training"), simulated.subset("validation")
    one_stream = {"post": 0.0, "alpha": 0.0, "beta": 0.0}
    variants = {
        "both": {"batch_size": 10, "segments": "use"},
        "one": {"batch_size": 23, **one_stream},
    }
    (tmp_path / "two_runs.py").write_text(TWO_RUNS)
    words = [
        ["fit", "--preset", "demo", "--device", "cpu", "--hidden-width", "16", "--snippets", "40",
         "--epochs", "3",
         "--data", str(Path(simulated.source).parent), "--out", str(tmp_path / name),
         *(word for key in variant for word in (f"--{key.replace('_', '-')}", str(variant[key])))]
        for name, variant in variants.items()
    ]  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=3",
         str(tmp_path / "two_runs.py"), json.dumps(words)],
        cwd=ROOT, check=True, capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for name, variant in variants.items():
        alone = fit(training, validation, SMALL.override(variant), tmp_path / f"{name}_alone")
        together = load_checkpoint(tmp_path / name)
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


def fit_words(data: Path, out: Path, epochs: int) -> list[str]:
    """Returns the words after `python -m training`."""
    return ["fit", "--preset", "demo", "--device", "cpu", "--hidden-width", "16", "--snippets",
            "40", "--data", str(data), "--out", str(out), "--epochs", str(epochs),
            "--feature-memory-gib", "0", "--validation-subset", "none"]  # fmt: skip


def test_full_disk_ends_with_a_clear_error_and_an_intact_checkpoint(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """A limit on the size of files, half of a checkpoint, stands in for the full disk."""
    data = Path(simulated.source).parent
    assert main(fit_words(data, tmp_path, 2)) == 0
    before = (tmp_path / LAST).read_bytes()

    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2))

    ended = subprocess.run(
        [sys.executable, "-m", "training", *fit_words(data, tmp_path, 4)],
        cwd=ROOT, capture_output=True, text=True, preexec_fn=fill_disk,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "error:" in ended.stderr
    assert LAST in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / LAST).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".partial"] == []
    assert main(fit_words(data, tmp_path, 4)) == 0
    assert load_checkpoint(tmp_path).epoch == 4


def test_feature_file_that_vanishes_leaves_the_last_epoch(
    simulated: VideoSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the video whose file became NaN; a repaired file resumes the run."""
    folder, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(Path(simulated.source).parent, folder)
    assert main(fit_words(folder, run, 2)) == 0
    path = sorted((folder / "features").glob("training_*.npy"))[0]
    content = np.load(path)
    np.save(path, np.full_like(content, np.nan))
    for out, status in ((run, 2), (tmp_path / "fresh", 1)):  # changed, and unusable
        capsys.readouterr()
        assert main(fit_words(folder, out, 4)) == status
        message = capsys.readouterr().err
        assert path.stem in message
        assert "Traceback" not in message
    assert load_checkpoint(run).epoch == 2
    np.save(path, content)
    assert main(fit_words(folder, run, 4)) == 0
    assert load_checkpoint(run).epoch == 4

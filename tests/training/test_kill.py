"""A run in a process of its own, killed again and again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from training.checkpoint import LAST, load_checkpoint
from training.datasets.video_record import VideoSet

ROOT = Path(__file__).parents[2]
DEADLINE_S = 300
EPOCHS = 4


def command(simulated: VideoSet, out: Path) -> list[str]:
    data = str(Path(simulated.source).parent)
    small = [
        "--preset",
        "demo",
        "--hidden-width",
        "64",
        "--snippets",
        "96",
        "--epochs",
        str(EPOCHS),
    ]
    return [sys.executable, "-m", "training", "fit", "--data", data, "--out", str(out),
            "--device", "cpu", *small]  # fmt: skip


def test_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """`kill -9` at random moments, then the same command again: weights are bit-identical.

    After each kill, the last checkpoint can be read.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(
        command(simulated, whole), cwd=ROOT, env=environment, check=True, capture_output=True
    )
    rng = np.random.default_rng()
    epochs = [0]
    for _ in range(30):
        process = subprocess.Popen(
            command(simulated, killed), cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
        )
        wait_for_epoch_after(epochs[-1], killed, process)
        time.sleep(float(rng.uniform(0, 0.1)))
        process.send_signal(signal.SIGKILL)
        status = process.wait()
        epochs.append(epoch_of(killed))
        if status == 0:
            break
    assert len(epochs) > 2, "the run was never killed in the middle"
    assert epochs[-1] == EPOCHS
    expected, got = (load_checkpoint(path).network_state for path in (whole, killed))
    for name, value in expected.items():
        assert torch.equal(value, got[name]), name


def epoch_of(out: Path) -> int:
    """Returns the epochs in the last checkpoint; 0 without one."""
    return load_checkpoint(out).epoch if (out / LAST).exists() else 0


def wait_for_epoch_after(epoch: int, out: Path, process: subprocess.Popen[bytes]) -> None:
    """Returns when another epoch is done or the process has ended.

    The deadline allows for a busy machine, on which importing torch alone may take a minute.
    """
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None and epoch_of(out) <= epoch:
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            pytest.fail(f"no epoch within {DEADLINE_S} s")
        time.sleep(0.01)

"""The commands of training, from data to a served file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.inference.engine import OnnxEngine
from model.repository import list_models
from training.__main__ import main
from training.checkpoint import load_checkpoint
from training.datasets.result_file import read_detections
from training.datasets.video_record import VideoSet
from training.released_checkpoint import NAMES


@pytest.fixture
def data(simulated: VideoSet) -> list[str]:
    """The two arguments that name the simulated data set."""
    features = Path(simulated.source).parent / "features"
    return ["--annotations", simulated.source, "--features", str(features)]


def test_fit_evaluate_export_localize_plot_and_score(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exported spec has the figures of the evaluation, and `score` repeats them."""
    out, report = tmp_path / "run", tmp_path / "report"
    small = ["--preset", "demo", "--hidden-width", "32", "--snippets", "64", "--epochs", "8"]
    assert main(["fit", *data, "--out", str(out), *small, "--device", "cpu"]) == 0
    last = capsys.readouterr().out.splitlines()
    assert f"{out}: 8 epochs, 3 classes" in last
    assert any(line.startswith("tags of 12 held-out videos: mean AP") for line in last)
    assert last[-1] == f"next: ecm evaluate {out} {' '.join(data)} --subset validation"
    assert main(["evaluate", str(out), *data, "--out", str(report), "--device", "cpu"]) == 0
    figures = json.loads((report / "figures.json").read_text())
    assert figures["mAP@0.5"] > 0.1
    capsys.readouterr()

    predictions = str(report / "predictions.json")
    assert main(["score", data[1], predictions, "--subset", "validation", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["average"] == pytest.approx(figures["mAP"], abs=1e-9)

    repository = tmp_path / "models"
    assert main(["export", str(out), "--repository", str(repository), "--name", "sim"]) == 0
    spec = OnnxEngine(list_models(repository)[-1].read()[0]).spec
    assert spec.evaluation["validation.mAP@0.5"] == figures["mAP@0.5"]
    assert spec.provenance.epoch == load_checkpoint(out).epoch
    half = ["export", str(out), "--repository", str(repository), "--name", "sim", "--half"]
    assert main(half) == 0
    half_spec = OnnxEngine(list_models(repository)[-1].read()[0]).spec
    assert half_spec == replace(spec, precision="float16")

    written = ["--model", str(out), "--out", str(tmp_path / "all.json")]
    assert main(["localize", data[3], *written]) == 0
    both = read_detections(tmp_path / "all.json"), read_detections(Path(predictions))
    assert set(both[1]) < set(both[0])
    for id_, segments in both[1].items():
        # Durations are rounded in the annotations, so times differ by less than a millisecond.
        got = [(s.start_s, s.end_s, s.score) for s in both[0][id_]]
        expected = [(s.start_s, s.end_s, s.score) for s in segments]
        np.testing.assert_allclose(got, expected, atol=2e-3)

    picture = tmp_path / "picture.png"
    assert main(["plot", str(out), *data, "--video", "validation_000", "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_simulate_and_import_released(
    tmp_path: Path, network: torch.nn.Module, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other commands read what these two write."""
    small = ["--training-videos", "3", "--validation-videos", "2", "--classes", "2"]
    assert main(["simulate", "--out", str(tmp_path / "data"), *small]) == 0
    assert len(list((tmp_path / "data" / "features").iterdir())) == 5

    ours = network.state_dict()
    torch.save({name: ours[NAMES[name]] for name in NAMES}, tmp_path / "ecm.pth")
    (tmp_path / "labels.txt").write_text("jump\nrun\nthrow\n")
    labels, out = str(tmp_path / "labels.txt"), str(tmp_path / "run")
    command = ["import-released", str(tmp_path / "ecm.pth"), "--preset", "thumos14-released"]
    command += ["--labels", labels, "--out", out]
    assert main(command) == 0
    assert load_checkpoint(tmp_path / "run").spec.labels == ("jump", "run", "throw")
    assert main(command) == 1
    assert "exists already" in capsys.readouterr().err


def test_evaluate_says_why_nothing_was_found(
    run: Path, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason follows the figures, and the checkpoint stays as it was."""
    before = (run / "last.pt").read_bytes()
    assert main(["evaluate", str(run), *data, "--class-threshold", "1"]) == 0
    output = capsys.readouterr().out
    assert "no segment was found: no class reached class_threshold 1; the highest" in output
    assert (run / "last.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["--epochs", "many"], "--epochs", 2),
        (["--nms", "best"], '"fast-soft"', 2),
        (["--learning-rat", "1"], "Did you mean --learning-rate?", 2),
        (["--learning-rate", "-1"], "learning_rate", 2),
        (["--train-subset", "test"], "'test'", 1),
    ],
)
def test_wrong_options_end_with_a_sentence(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], message: str, status: int,
) -> None:  # fmt: skip
    """A mistake in the options has status 2, wrong data has 1; nothing is written."""
    assert main(["fit", *data, "--out", str(tmp_path / "run"), *arguments]) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_an_absent_gpu_is_an_error(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--device cuda` without a GPU."""
    assert main(["fit", *data, "--out", str(tmp_path / "run"), "--device", "cuda"]) == 1
    assert "CUDA" in capsys.readouterr().err

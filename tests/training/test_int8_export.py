"""Export in int8: as good as float32, or refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import ModelError
from model.inference.engine import OnnxEngine
from model.int8 import Range
from model.repository import list_models
from training import int8_export
from training.__main__ import main
from training.checkpoint import load_checkpoint
from training.datasets.video_record import VideoSet
from training.int8_export import Int8Figures, write_int8


def words(run: Path, simulated: VideoSet, repository: Path) -> list[str]:
    data = ["--data", str(Path(simulated.source).parent)]
    return ["export", str(run), "--name", "small", "--repository", str(repository), "--int8", *data]


def test_int8_is_published_beside_float32(
    run: Path, simulated: VideoSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one version, each with its hash; the figures are printed and in the spec."""
    assert main(words(run, simulated, tmp_path)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("int8 on 12 videos: agreement ")
    assert {path.name for path in (tmp_path / "small" / "1").iterdir()} == {
        "model.onnx", "model.onnx.sha256", "model.int8.onnx", "model.int8.onnx.sha256",
    }  # fmt: skip
    (published,) = list_models(tmp_path)
    exact, int8 = (OnnxEngine(one.read()[0]) for one in (published, published.int8))
    assert (exact.spec.precision, int8.spec.precision) == ("float32", "int8")
    assert int8.spec.evaluation["int8.mAP"] >= int8.spec.evaluation["int8.mAP_float32"] - 0.003
    assert not any(name.startswith("int8.") for name in exact.spec.evaluation)
    features_TD = simulated.videos[0].features()
    exact_TC, int8_TC = exact.cas(features_TD), int8.cas(features_TD)
    np.testing.assert_allclose(int8_TC, exact_TC, atol=0.05 * np.abs(exact_TC).max())


def test_int8_that_localizes_otherwise_is_refused(
    run: Path, simulated: VideoSet, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Ranges that cut off nearly everything; the error has the figures, and no version appears."""
    too_narrow = Range(0.0, 1e-3), Range(0.0, 1e-3)
    monkeypatch.setattr(int8_export, "measure_ranges", lambda *_: too_narrow)
    assert main(words(run, simulated, tmp_path)) != 0
    message = capsys.readouterr().err
    assert "int8 localizes otherwise than float32 (12 videos: agreement" in message
    assert "Export without --int8" in message
    assert list_models(tmp_path) == []


def test_videos_without_times_are_judged_by_float32(
    run: Path, simulated: VideoSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agreement and correlation then decide."""
    checkpoint = load_checkpoint(run)
    assert main([*words(run, simulated, tmp_path)[:-3]]) == 0
    exact = list_models(tmp_path)[0].path
    timeless = tuple(replace(video, instances=()) for video in simulated.videos)
    videos = replace(simulated, videos=timeless).subset("validation")
    args = (checkpoint.network(), checkpoint.spec, exact, tmp_path / "int8.onnx")
    figures = write_int8(*args, calibration=simulated.subset("training"), judged=videos)
    assert figures.map_int8 is None
    assert figures.acceptable
    too_narrow = Range(0.0, 0.1), Range(0.0, 0.1)
    monkeypatch.setattr(int8_export, "measure_ranges", lambda *_: too_narrow)
    with pytest.raises(ModelError, match="agreement of at least 97 %"):
        write_int8(*args, calibration=simulated.subset("training"), judged=videos)


@pytest.mark.parametrize(
    ("figures", "acceptable"),
    [
        (Int8Figures(9, 0.5, 0.4971, agreement=0.0, correlation=0.0), True),
        (Int8Figures(9, 0.5, 0.4969, agreement=1.0, correlation=1.0), False),
        (Int8Figures(9, None, None, agreement=0.97, correlation=0.999), True),
        (Int8Figures(9, None, None, agreement=0.969, correlation=1.0), False),
        (Int8Figures(9, None, None, agreement=1.0, correlation=0.9989), False),
        (Int8Figures(9, None, None, agreement=float("nan"), correlation=1.0), False),
    ],
)
def test_the_bounds(figures: Int8Figures, acceptable: bool) -> None:
    """Figures of mAP decide where times are known; not-a-number never passes."""
    assert figures.acceptable is acceptable


@pytest.mark.parametrize("extra", [["--half"], []], ids=["half", "no data"])
def test_unusable_choices_are_refused(
    run: Path, simulated: VideoSet, tmp_path: Path, extra: list[str]
) -> None:
    """int8 is for a CPU and half for a GPU; int8 needs features."""
    given = words(run, simulated, tmp_path)
    assert main([*(given if extra else given[:-2]), *extra]) != 0
    assert list_models(tmp_path) == []

"""`Localizer` in this process: what it finds, what it refuses, and that it matches the service."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecm_client.options import Progress
from ecm_localizer import Client, InputError, Localization, Localizer, LocalizerError
from features.extractors import video_rows
from features.motion import MotionExtractor
from model.export import write_onnx
from model.inference.engine import OnnxEngine
from model.network import Ecm
from model.predict import predict_video
from model.repository import publish
from model.spec import ExtractorIdentity, ModelSpec

SNIPPET_S = MotionExtractor.snippet_frames / MotionExtractor.rate_fps


@pytest.fixture
def localizer(repository: Path) -> Localizer:
    """A localizer with the model `small`, which takes features."""
    return Localizer.open(repository / "small")


def test_the_service_and_the_process_find_the_same(
    localizer: Localizer, url: str, features_TD: np.ndarray, tmp_path: Path
) -> None:
    """From an array, a tensor and a file, with and without options; one line changes."""
    np.save(tmp_path / "video.npy", features_TD)
    sources = (features_TD, torch.tensor(features_TD), tmp_path / "video.npy")
    with Client(url) as client, localizer:
        for options in (
            {},
            {"duration_s": 93.4, "min_score": 0.2, "include": "cas"},
            {"snippet_s": 0.64, "nms_iou": 0.3, "max_segments": 3, "class_threshold": 0.0},
        ):
            for source in sources:
                here, there = (place.localize(source, **options) for place in (localizer, client))
                assert here == there
                assert here.segments
                assert (here.cas_TC is None) == (there.cas_TC is None) == ("include" not in options)
                assert here.cas_labels == there.cas_labels
        assert list(localizer.localize_many(sources)) == list(client.localize_many(sources))


def test_empty_answer_has_the_reason(
    localizer: Localizer, url: str, features_TD: np.ndarray
) -> None:
    """In this process, from the service, and in JSON; an answer with segments has none."""
    with Client(url) as client:
        for place in (localizer, client):
            nothing = place.localize(features_TD, class_threshold=1.0)
            assert "no class reached class_threshold 1; the highest score is" in nothing.notes[0]
            assert json.loads(nothing.to_json())["notes"] == list(nothing.notes)
            assert place.localize(features_TD).notes == ()


def test_a_video_is_localized_as_its_features_are(videos_model: Path, video: Path) -> None:
    """By path, text and file: URI; progress comes with every snippet."""
    features_TD = np.stack(list(video_rows(MotionExtractor(), video)))
    engine = OnnxEngine((videos_model / "1" / "model.onnx").read_bytes())
    duration_s = len(features_TD) * SNIPPET_S
    expected = predict_video(engine, features_TD, engine.spec, duration_s=duration_s)
    localizer = Localizer.open(videos_model)
    reports: list[Progress] = []
    for source in (video, str(video), video.as_uri()):
        reports.clear()
        found = localizer.localize(source, on_progress=reports.append)
        assert list(found) == expected.segments
        assert found.segments
        assert found.duration_s == pytest.approx(duration_s)
        assert [report.done for report in reports] == list(range(1, len(features_TD) + 1))
        assert reports[-1] == Progress("running", len(features_TD), len(features_TD), 0.0)
        assert {"extraction", "total"} < set(found.timing_ms)


def test_one_bad_input_among_many_costs_no_other(
    localizer: Localizer, videos_model: Path, features_TD: np.ndarray, video: Path, tmp_path: Path
) -> None:
    """Order is kept; each bad input yields its error; also for videos, several at once."""
    for concurrency in (1, 3):
        sources = [features_TD[: 20 + number] for number in range(12)]
        sources[5] = features_TD[:, :3]
        outcomes = list(localizer.localize_many(iter(sources), concurrency=concurrency))
        assert [
            outcome.snippets if isinstance(outcome, Localization) else str(outcome)
            for outcome in outcomes
        ] == [*range(20, 25), "expected 8 channels (D), got 3", *range(26, 32)]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(video.read_bytes()[:1000])
    moves = Localizer.open(videos_model)
    first, *bad, last = moves.localize_many(
        [video, broken, "absent.mp4", video], concurrency=2, min_score=0.0
    )
    assert first == last
    assert all(isinstance(outcome, InputError) for outcome in bad)
    assert "broken.mp4" in str(bad[0])


def test_a_progress_bar_shows_where_there_is_a_terminal(
    localizer: Localizer, features_TD: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not here by default; on request."""
    assert len(list(localizer.localize_many([features_TD] * 2))) == 2
    assert capsys.readouterr().err == ""
    assert len(list(localizer.localize_many([features_TD] * 2, progress_bar=True))) == 2
    assert "2/2" in capsys.readouterr().err


def test_several_threads_share_a_localizer(videos_model: Path, video: Path) -> None:
    """They open one extractor and find the same."""
    localizer = Localizer.open(videos_model)
    found: list[Localization] = []
    threads = [
        threading.Thread(target=lambda: found.append(localizer.localize(video))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [localizer.localize(video)] * 4


def test_unusable_features_are_named(localizer: Localizer, features_TD: np.ndarray) -> None:
    """The wrong D, no snippet, a value that is not finite; a file by its name."""
    broken_TD = features_TD.copy()
    broken_TD[3, 2] = np.nan
    for source, message in (
        (features_TD[:, :5], r"expected 8 channels \(D\), got 5"),
        (features_TD[:0], "T = 0"),
        (broken_TD, "NaN or Inf in snippet 3"),
    ):
        with pytest.raises(InputError, match=message):
            localizer.localize(source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_scor": 0.5}, "no option 'min_scor'; expected duration_s"),
        ({"model": "other"}, "no option 'model'"),
        ({"nms_iou": 7}, "nms_iou.*less than or equal to 1, got 7"),
        ({"max_segments": -1}, "max_segments"),
        ({"min_score": True}, "min_score.*expected a number, got True"),
        ({"class_threshold": np.bool_(False)}, "class_threshold.*expected a number"),
        ({"nms_iou": True}, "nms_iou.*expected a number"),
        ({"duration_s": True}, "duration_s.*expected a number"),
        ({"snippet_s": True}, "snippet_s.*expected a number"),
        ({"max_segments": True}, "max_segments.*expected a number"),
        ({"duration_s": float("nan")}, "duration_s"),
        ({"duration_s": 3.0, "snippet_s": 2.0}, "got both"),
    ],
)
def test_wrong_options_are_named(
    localizer: Localizer, features_TD: np.ndarray, options: dict, message: str
) -> None:
    """Unknown ones, and those out of their range."""
    with pytest.raises(InputError, match=message):
        localizer.localize(features_TD, **options)


def test_a_video_that_this_model_cannot_take_is_refused(
    localizer: Localizer, videos_model: Path, video: Path
) -> None:
    """A model of features, a clock of its own, an address elsewhere, an empty file."""
    with pytest.raises(InputError, match="ready-made features"):
        localizer.localize(video)
    moves = Localizer.open(videos_model)
    with pytest.raises(InputError, match="own duration"):
        moves.localize(video, duration_s=4.0)
    with pytest.raises(InputError, match="reads local files, got https:"):
        moves.localize("https://example.org/a.mp4")


def test_only_the_extractor_of_the_training_will_do(
    spec: ModelSpec, network: Ecm, video: Path, tmp_path: Path
) -> None:
    """Another version, and a file that is not in the folder, are named."""
    absent = [ExtractorIdentity("motion-0"), ExtractorIdentity("i3d-1", "ab" * 32)]
    for number, extractor in enumerate(absent, start=1):
        odd = replace(spec, extractor=extractor)
        publish(tmp_path, "odd", lambda path, odd=odd: write_onnx(network, odd, path))
        localizer = Localizer.open(tmp_path / "odd", version=number, extractors=tmp_path)
        with pytest.raises(LocalizerError, match=extractor.sha256 or extractor.name):
            localizer.localize(video)


def test_repr_names_the_model(localizer: Localizer) -> None:
    """Name, version and the number of classes."""
    assert repr(localizer) == "Localizer of small version 1: 3 classes"

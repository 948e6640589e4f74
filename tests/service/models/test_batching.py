"""Batched videos have the results of single videos."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from ecm_localizer import Client
from model.errors import EngineError
from model.inference.engine import EngineConfig, OnnxEngine
from service.http.buffers import Buffers
from service.models.batching import BatchConfig, Batches
from service.settings import Settings

LENGTHS = [1, 2, 15, 16, 17, 31, 32, 33, 40, 40, 40, 40, 47, 48, 63, 64]


@pytest.fixture
def engine(exported: bytes) -> OnnxEngine:
    """The network of `small`, in one thread."""
    return OnnxEngine(exported, EngineConfig(device="cpu", threads=1))


def videos(lengths: list[int]) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((snippets, 8), dtype=np.float32) for snippets in lengths]


def together(batches: Batches, features: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Returns the results of videos that are submitted at once, one thread each."""
    with ThreadPoolExecutor(len(features)) as pool:
        return list(pool.map(batches.cas, features))


@pytest.mark.parametrize("bucket_snippets", [1, 16, 64])
@pytest.mark.parametrize("max_videos", [2, 5, 16])
def test_a_batch_equals_single_videos(
    engine: OnnxEngine, max_videos: int, bucket_snippets: int
) -> None:
    """For any lengths and numbers; each video runs once."""
    sizes: list[int] = []
    config = BatchConfig(max_videos, 0.05, bucket_snippets)
    features = videos(LENGTHS)
    got = together(Batches(engine, config, 1, sizes.append), features)
    for features_TD, cas_TC in zip(features, got, strict=True):
        np.testing.assert_allclose(cas_TC, engine.cas(features_TD), atol=1e-5, rtol=1e-5)
    assert sum(sizes) == len(LENGTHS)
    assert max(sizes) <= max_videos


def test_earlier_content_of_the_memory_changes_nothing(engine: OnnxEngine) -> None:
    """Reused memory may contain anything in the padding."""

    def full_of_nan(size: int) -> memoryview:
        return np.full(size // 4, np.nan, np.float32).view(np.uint8).data

    batches = Batches(engine, BatchConfig(3, 3600, 16), 1, lambda _: None)
    batches._buffers = Buffers(2**20, full_of_nan)
    for _ in range(2):
        features = videos([33, 48, 40])
        for features_TD, cas_TC in zip(features, together(batches, features), strict=True):
            np.testing.assert_allclose(cas_TC, engine.cas(features_TD), atol=1e-5, rtol=1e-5)


def test_a_full_batch_waits_no_longer(engine: OnnxEngine) -> None:
    """With an hour of delay, three threads fill a batch of three."""
    sizes: list[int] = []
    batches = Batches(engine, BatchConfig(3, 3600, 16), 1, sizes.append)
    together(batches, videos([40, 40, 41]))
    assert sizes == [3]


def test_videos_that_arrive_while_the_engine_is_busy_join_the_next_batch(
    engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without delay: the next batch grows while one runs."""
    running, go_on = threading.Event(), threading.Event()
    run, sizes = OnnxEngine.cas_batch, []

    def held_up(*arguments: object) -> NDArray[np.float32]:
        running.set()
        assert go_on.wait(30)
        return run(*arguments)

    monkeypatch.setattr(OnnxEngine, "cas_batch", held_up)
    batches = Batches(engine, BatchConfig(8, 0, 16), 1, sizes.append)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(batches.cas, *videos([40]))
        assert running.wait(30)
        others = [pool.submit(batches.cas, video) for video in videos([40] * 4)]
        while not batches._open or len(batches._open[48].videos) < 4:
            pass
        go_on.set()
        assert len(first.result()) == 40
        assert [len(other.result()) for other in others] == [40] * 4
    assert sizes == [1, 4]


def test_after_a_failed_batch_each_video_gets_its_own_result(
    engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other videos get their results."""
    run = OnnxEngine.cas_batch

    def fail(self: OnnxEngine, features_BTD: NDArray[np.float32], *arguments: object) -> object:
        if len(features_BTD) > 1 or features_BTD[0, 0, 0] == 7:
            raise EngineError("no room")
        return run(self, features_BTD, *arguments)

    monkeypatch.setattr(OnnxEngine, "cas_batch", fail)
    features = videos([40] * 3)
    features[1][0, 0] = 7
    batches = Batches(engine, BatchConfig(3, 3600, 16), 1, lambda _: None)
    with ThreadPoolExecutor(3) as pool:
        first, bad, last = [pool.submit(batches.cas, video) for video in features]
        assert len(first.result()) == len(last.result()) == 40
        with pytest.raises(EngineError):
            bad.result()


def test_the_service_batches_according_to_its_settings(serving, repository: Path) -> None:
    """The answers equal those without batches; the metrics count the videos of each batch."""
    features = videos([40] * 12)
    settings = Settings(repository=repository)
    batched = settings.model_copy(update={"max_batch": 4, "batch_delay_ms": 50.0})
    with serving(settings) as one, serving(batched) as other:
        answers = []
        for url in (one, other):
            with Client(url) as client:
                answers.append(list(client.localize_many(features, concurrency=8)))
        metrics = httpx.get(f"{other}/metrics").text
        bare = {"Inference-Header-Content-Length": "0"}
        cas = [
            httpx.post(f"{url}/v2/models/small/infer", content=features[0].tobytes(), headers=bare)
            for url in (one, other)
        ]
        after = httpx.get(f"{other}/metrics").text
    for alone, together in zip(*answers, strict=True):
        assert [s.label for s in alone.segments] == [s.label for s in together.segments]
        scores = [[s.score for s in answer.segments] for answer in (alone, together)]
        np.testing.assert_allclose(*scores, atol=1e-4)
    assert "ecm_batch_videos_sum 12.0" in metrics
    assert "ecm_batch_videos_sum 13.0" in after
    logits = [np.frombuffer(answer.content[-40 * 3 * 4 :], np.float32) for answer in cas]
    np.testing.assert_allclose(*logits, atol=1e-4)

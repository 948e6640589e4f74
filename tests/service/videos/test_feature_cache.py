"""Features are cached by video and extractor, within bounds, whatever happens to the files."""

import logging
import multiprocessing
import os
import random
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from model.spec import ExtractorIdentity
from service.videos.feature_cache import FeatureCache

MOTION = ExtractorIdentity("motion-1")
FEATURES_TD = np.arange(800, dtype=np.float32).reshape(100, 8)
FILE_BYTES = FEATURES_TD.nbytes + 128
"""Size of the file, with the header of the .npy format."""


def used_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def cached(cache: FeatureCache, videos: Iterable[str]) -> list[str]:
    """Returns the videos in the cache, without counting as a use."""
    stamps = {path: path.stat() for path in cache._folder.folder.glob("*.npy")}
    hits = [video for video in videos if cache.get(video, MOTION) is not None]
    for path, about in stamps.items():
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    return hits


def age(folder: Path) -> None:
    """Makes every file ten seconds older, because time stamps are coarse on some disks."""
    for path in folder.iterdir():
        about = path.stat()
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns - 10_000_000_000))


def test_features_are_kept_by_video_and_extractor(tmp_path: Path) -> None:
    """The key has the extractor's name and hash, because both determine the features."""
    cache = FeatureCache(tmp_path, 10**6)
    extractors = [
        MOTION,
        ExtractorIdentity("motion-2"),
        ExtractorIdentity("i3d", "a" * 64),
        ExtractorIdentity("i3d", None),
    ]
    keys = [(video, extractor) for video in ("v", "w") for extractor in extractors]
    for number, (video, extractor) in enumerate(keys):
        assert cache.get(video, extractor) is None
        cache.put(video, extractor, FEATURES_TD + number)
    for number, (video, extractor) in enumerate(keys):
        np.testing.assert_array_equal(cache.get(video, extractor), FEATURES_TD + number)


def test_the_least_recently_used_features_are_evicted_first(tmp_path: Path) -> None:
    """Reading is a use, and so is writing again."""
    cache = FeatureCache(tmp_path, 3 * FILE_BYTES)
    for video in "abc":
        cache.put(video, MOTION, FEATURES_TD)
        age(tmp_path)
    assert cache.get("a", MOTION) is not None
    age(tmp_path)
    cache.put("b", MOTION, FEATURES_TD)
    age(tmp_path)
    cache.put("d", MOTION, FEATURES_TD)
    assert cached(cache, "abcd") == ["a", "b", "d"]
    age(tmp_path)
    cache.put("e", MOTION, FEATURES_TD)
    assert cached(cache, "abde") == ["b", "d", "e"]


@pytest.mark.parametrize("max_bytes", [0, 1, FEATURES_TD.nbytes, FILE_BYTES, 3 * FILE_BYTES + 100])
def test_the_folder_never_outgrows_its_bound(tmp_path: Path, max_bytes: int) -> None:
    """Files count with their headers; features that can never fit evict nothing."""
    cache = FeatureCache(tmp_path, max_bytes)
    for number in range(10):
        cache.put(str(number), MOTION, FEATURES_TD[: random.Random(number).randint(1, 100)])
        cache.put(f"whole {number}", MOTION, FEATURES_TD)
        assert used_bytes(tmp_path) <= max_bytes
    before = sorted(tmp_path.glob("*.npy"))
    cache.put("huge", MOTION, np.zeros((max_bytes // 4 + 1, 1), np.float32))
    assert sorted(tmp_path.glob("*.npy")) == before


def damaged(content: bytes) -> list[bytes]:
    """Yields a file truncated at each relevant place, and with each header byte changed."""
    cuts = [content[:length] for length in (0, 1, 6, 10, 60, 128, 129, len(content) - 1)]
    flips = [
        content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]
        for place in range(80)
        for flip in (0x01, 0x10, 0x80)
    ]
    return cuts + flips


def test_a_damaged_file_is_as_good_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and removed, so that the features can be cached again."""
    cache = FeatureCache(tmp_path, 10**6)
    cache.put("v", MOTION, FEATURES_TD)
    [path] = tmp_path.glob("*.npy")
    content = path.read_bytes()
    for bad in damaged(content):
        path.write_bytes(bad)
        got_TD = cache.get("v", MOTION)
        assert got_TD is None or (got_TD.dtype, got_TD.ndim) == (np.float32, 2)
        if got_TD is None:
            assert not path.exists()
            assert "damaged" in caplog.text
            caplog.clear()


def test_a_folder_that_cannot_be_used_costs_only_features(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If the folder is a file, nothing is cached and nothing fails."""
    caplog.set_level(logging.WARNING)
    folder = tmp_path / "features"
    folder.write_text("no folder")
    cache = FeatureCache(folder, 10**6)
    assert cache.get("v", MOTION) is None
    cache.put("v", MOTION, FEATURES_TD)
    assert "not cached" in caplog.text
    assert cache.get("v", MOTION) is None


def test_a_folder_in_the_place_of_features_costs_only_these(tmp_path: Path) -> None:
    """A folder is not removed, because its content is unknown; nothing fails."""
    cache = FeatureCache(tmp_path, 10**6)
    cache.put("v", MOTION, FEATURES_TD)
    [path] = tmp_path.glob("*.npy")
    path.unlink()
    (path / "inside").mkdir(parents=True)
    assert cache.get("v", MOTION) is None
    cache.put("v", MOTION, FEATURES_TD)
    cache.put("w", MOTION, FEATURES_TD)
    assert cached(cache, "vw") == ["w"]
    FeatureCache(tmp_path, FILE_BYTES).put("x", MOTION, FEATURES_TD)
    assert (path / "inside").exists()


def use(folder: Path, seed: int) -> int:
    """Writes and reads the same entries as other processes; returns the number of hits."""
    cache = FeatureCache(folder, 4 * FILE_BYTES)
    chance = random.Random(seed)
    hits = 0
    for _ in range(150):
        number = chance.randrange(6)
        got_TD = cache.get(str(number), MOTION)
        if got_TD is None:
            cache.put(str(number), MOTION, FEATURES_TD + number)
        else:
            np.testing.assert_array_equal(got_TD, FEATURES_TD + number)
            hits += 1
    return hits


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_users_at_the_same_time_see_whole_features_only(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No file is seen half-written, and none is left over."""
    pool = (
        ThreadPoolExecutor(4)
        if kind == "threads"
        else ProcessPoolExecutor(3, multiprocessing.get_context("spawn"))
    )
    with pool:
        hits = list(pool.map(use, [tmp_path] * 4, range(4)))
    assert all(hits)
    assert "damaged" not in caplog.text
    assert "not cached" not in caplog.text
    assert {path.suffix for path in tmp_path.iterdir()} == {".npy"}
    FeatureCache(tmp_path, 4 * FILE_BYTES).put("one more", MOTION, FEATURES_TD)
    assert used_bytes(tmp_path) <= 4 * FILE_BYTES

"""Recognition of videos by their first bytes."""

from pathlib import Path

import pytest

from service.routes.media_types import MAGIC_BYTES, looks_like_video


@pytest.mark.parametrize(
    "name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.flv", "a.ts", "a.m2ts", "a.mpg",
             "a.ogv", "a.wmv", "a.3gp", "a.f4v"]
)  # fmt: skip
def test_every_usual_container_is_recognized(name: str, film, tmp_path: Path) -> None:
    """Whatever its ending says."""
    codecs = {".wmv": "wmv2", ".webm": "libvpx", ".ogv": "libvpx"}
    codec = codecs.get(Path(name).suffix, "libx264")
    path = film(tmp_path / name, [number / 25 for number in range(30)], codec=codec)
    assert looks_like_video(path.read_bytes()[:MAGIC_BYTES])


@pytest.mark.parametrize(
    "start",
    [b"", b"hello", b"\x93NUMPY\x01\x00v\x00", b"RIFF\x10\0\0\0WAVE", b"G" * 100, bytes(600)],
)
def test_other_bytes_are_no_video(start: bytes) -> None:
    """Texts, arrays, sounds and zeros."""
    assert not looks_like_video(start)

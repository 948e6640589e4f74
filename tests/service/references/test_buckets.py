"""Buckets, with fsspec's filesystem in memory instead of a cloud."""

import asyncio
import builtins
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from service.references.errors import DownloadError, ReferenceRefusedError, TransientDownloadError
from service.references.rules import ReferenceRules, check_reference, local_file

URI = "s3://bucket/videos/a.mp4"
KEY = "bucket/videos/a.mp4"


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """A filesystem in memory, empty before and after."""
    memory = MemoryFileSystem(skip_instance_cache=True)
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for downloads that must be empty after every test."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


Copy: TypeAlias = Callable[..., bytes]


@pytest.fixture
def copy(folder: Path) -> Copy:
    """Returns the bytes of an object, or raises."""

    def copy(filesystem: object, uri: str = URI, **limits: float) -> bytes:
        rules = ReferenceRules(buckets=("s3://bucket/videos/", "gs://all"), **limits)  # type: ignore[arg-type]
        with local_file(uri, rules, folder, open_filesystem=lambda _: filesystem) as path:  # type: ignore[arg-type,return-value]
            return path.read_bytes()

    return copy


@pytest.mark.parametrize("size_bytes", [0, 1, 4 * 2**20, 4 * 2**20 + 1, 9_000_000])
def test_objects_arrive_complete(memory: MemoryFileSystem, copy: Copy, size_bytes: int) -> None:
    """The size may be any number of bytes relative to the pieces."""
    body = (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]
    memory.pipe_file(KEY, body)
    assert copy(memory, max_bytes=size_bytes) == body


def test_a_relative_folder_works(
    memory: MemoryFileSystem, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The download is in the folder by its relative name."""
    monkeypatch.chdir(folder.parent)
    memory.pipe_file(KEY, b"abc")
    rules = ReferenceRules(buckets=("s3://bucket",))
    relative = Path(folder.name)
    with local_file(URI, rules, relative, open_filesystem=lambda _: memory) as path:
        assert path.parent == relative
        assert path.read_bytes() == b"abc"


def test_names_are_decoded(memory: MemoryFileSystem, copy: Copy) -> None:
    """A reference is a URI, so special characters of a key are percent-encoded."""
    memory.pipe_file("bucket/videos/ä 100%.mp4", b"abc")
    assert copy(memory, "s3://bucket/videos/%C3%A4%20100%25.mp4") == b"abc"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/videos2/a.mp4", "s3://bucket/video", "s3://bucket/a.mp4", "s3://bucket/videos",
        "s3://bucket", "s3://bucket/", "s3://Bucket/videos/a.mp4", "s3://bucket/Videos/a.mp4",
        "gs://bucket/videos/a.mp4", "az://bucket/videos/a.mp4", "s3a://bucket/videos/a.mp4",
        "s3://bucket/videos/../a.mp4", "s3://bucket/videos/%2e%2e/a.mp4", "s3://bucket/videos//a",
        "s3://bucket/videos/%2e%2e%2fa.mp4", "s3://bucket/videos/./a.mp4", "s3://bucket/videos/a/",
        "s3://bucket/videos/a.mp4?versionId=1", "s3://bucket/videos/a.mp4%3FversionId=1",
        "s3://bucket/videos/a%231", "s3://bucket/videos/a%00", "s3://bucket:443/videos/a.mp4",
        "s3://key:secret@bucket/videos/a.mp4", "s3://buck%65t/videos/a.mp4", "s3:///videos/a.mp4",
        "s3:bucket/videos/a.mp4", "gs://all", "gs://all/", "gs://all/a?generation=1",
    ],
)  # fmt: skip
def test_objects_outside_the_prefixes_are_refused(copy: Copy, uri: str) -> None:
    """Prefixes end at whole names, and case counts. Nothing is opened."""
    with pytest.raises(ReferenceRefusedError):
        copy(None, uri)


def test_objects_below_a_prefix_are_allowed() -> None:
    """A prefix may also be a whole bucket or a single object."""
    rules = ReferenceRules(buckets=("s3://bucket/videos", "gs://all/", "az://one/a.mp4"))
    for uri in (URI, "S3://bucket/videos/b/c.mp4", "gs://all/a", "gs://all/a/b", "az://one/a.mp4"):
        check_reference(uri, rules)


def test_a_missing_object_is_a_final_error(memory: MemoryFileSystem, copy: Copy) -> None:
    """A folder of objects is no object either."""
    memory.pipe_file(f"{KEY}/below", b"abc")
    for uri in ("s3://bucket/videos/absent", URI):
        with pytest.raises(DownloadError) as caught:
            copy(memory, uri)
        assert not caught.value.transient


def test_large_objects_are_refused(memory: MemoryFileSystem, copy: Copy) -> None:
    """Their announced size is checked before they are read."""
    memory.pipe_file(KEY, b"abc")
    memory.cat_file = None  # type: ignore[method-assign]
    with pytest.raises(ReferenceRefusedError, match="3 bytes"):
        copy(memory, max_bytes=2)


class Failing(MemoryFileSystem):
    """A filesystem that raises or returns a given value for a piece."""

    cachable = False
    outcome: BaseException | bytes = b""

    def cat_file(self, *_: object, **__: object) -> bytes:
        """Fails."""
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "transient"),
    [
        (PermissionError("denied"), False),
        (FileNotFoundError("gone"), False),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (RuntimeError("a library's own"), True),
        (b"ab", True),
        (b"abcd", True),
        (b"", True),
    ],
)
def test_errors_record_whether_a_retry_may_help(
    memory: MemoryFileSystem, copy: Copy, outcome: Exception | bytes, transient: bool
) -> None:
    """Missing and forbidden objects are final; a piece of the wrong length is an error."""
    memory.pipe_file(KEY, b"abc")
    failing = Failing()
    failing.outcome = outcome
    with pytest.raises(DownloadError, match=KEY) as caught:
        copy(failing)
    assert caught.value.transient == transient
    assert "denied" not in str(caught.value)


class Hanging(AsyncFileSystem):
    """An asynchronous filesystem that returns sizes and then stalls."""

    cachable = False

    async def _info(self, path: str, **_: object) -> dict[str, object]:
        return {"name": path, "type": "file", "size": 3}

    async def _cat_file(self, *_: object, **__: object) -> bytes:
        await asyncio.Event().wait()
        return b""


@pytest.mark.parametrize("limit", ["stall_s", "max_download_s"])
def test_a_stall_is_noticed(copy: Copy, limit: str) -> None:
    """Both limits cancel a request in flight."""
    with pytest.raises(TransientDownloadError):
        copy(Hanging(), **{limit: 0.2})


def test_a_passed_deadline_ends_the_download(memory: MemoryFileSystem, copy: Copy) -> None:
    """No further piece is requested."""
    memory.pipe_file(KEY, b"abc")
    with pytest.raises(TransientDownloadError, match="ECM_MAX_DOWNLOAD_S"):
        copy(memory, max_download_s=0.0)


def test_a_missing_package_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error contains the command that installs it."""
    load = builtins.__import__

    def without_clouds(name: str, *rest: object) -> object:
        if name.partition(".")[0] in ("s3fs", "gcsfs", "adlfs"):
            raise ImportError(name)
        return load(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_clouds)
    rules = ReferenceRules(buckets=("s3://bucket",))
    with (
        pytest.raises(
            DownloadError, match=r"s3:.*pip install -c constraints.txt '.\[clouds\]'"
        ) as caught,
        local_file(URI, rules, folder),
    ):
        pass
    assert not caught.value.transient

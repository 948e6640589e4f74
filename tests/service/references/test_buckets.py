"""fsspec's filesystem in memory stands in for the clouds'."""

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
    """A folder for downloads that has to be empty after every test."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


Copy: TypeAlias = Callable[..., bytes]


@pytest.fixture
def copy(folder: Path) -> Copy:
    """Gives the bytes of an object on a filesystem, or raises."""

    def copy(filesystem: object, uri: str = URI, **limits: float) -> bytes:
        rules = ReferenceRules(buckets=("s3://bucket/videos/", "gs://all"), **limits)  # type: ignore[arg-type]
        with local_file(uri, rules, folder, open_filesystem=lambda _: filesystem) as path:  # type: ignore[arg-type,return-value]
            return path.read_bytes()

    return copy


@pytest.mark.parametrize("size_bytes", [0, 1, 4 * 2**20, 4 * 2**20 + 1, 9_000_000])
def test_objects_arrive(memory: MemoryFileSystem, copy: Copy, size_bytes: int) -> None:
    """Byte for byte, whatever their size is to the pieces that they come in."""
    body = (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]
    memory.pipe_file(KEY, body)
    assert copy(memory, max_bytes=size_bytes) == body


def test_a_relative_folder(
    memory: MemoryFileSystem, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The download lies in the folder as it was named."""
    monkeypatch.chdir(folder.parent)
    memory.pipe_file(KEY, b"abc")
    rules = ReferenceRules(buckets=("s3://bucket",))
    relative = Path(folder.name)
    with local_file(URI, rules, relative, open_filesystem=lambda _: memory) as path:
        assert path.parent == relative
        assert path.read_bytes() == b"abc"


def test_names_are_decoded(memory: MemoryFileSystem, copy: Copy) -> None:
    """A reference is a URI, so a key's unusual characters come percent-encoded."""
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
def test_objects_that_are_refused(copy: Copy, uri: str) -> None:
    """Prefixes end between names; no dots, versions or keys; case counts. Nothing is opened."""
    with pytest.raises(ReferenceRefusedError):
        copy(None, uri)


def test_allowed_objects() -> None:
    """Below a prefix or a whole bucket; a prefix may name a single object."""
    rules = ReferenceRules(buckets=("s3://bucket/videos", "gs://all/", "az://one/a.mp4"))
    for uri in (URI, "S3://bucket/videos/b/c.mp4", "gs://all/a", "gs://all/a/b", "az://one/a.mp4"):
        check_reference(uri, rules)


def test_what_is_no_object(memory: MemoryFileSystem, copy: Copy) -> None:
    """Absent, or a folder of others: no other try would help."""
    memory.pipe_file(f"{KEY}/below", b"abc")
    for uri in ("s3://bucket/videos/absent", URI):
        with pytest.raises(DownloadError) as caught:
            copy(memory, uri)
        assert not caught.value.transient


def test_large_objects_are_refused(memory: MemoryFileSystem, copy: Copy) -> None:
    """By their size, before they are read."""
    memory.pipe_file(KEY, b"abc")
    memory.cat_file = None  # type: ignore[method-assign]
    with pytest.raises(ReferenceRefusedError, match="3 bytes"):
        copy(memory, max_bytes=2)


class Failing(MemoryFileSystem):
    """Raises or gives what it was told where a piece is asked for."""

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
def test_failures(
    memory: MemoryFileSystem, copy: Copy, outcome: Exception | bytes, transient: bool
) -> None:
    """What is absent or forbidden is final; a piece of another length is an error as well."""
    memory.pipe_file(KEY, b"abc")
    failing = Failing()
    failing.outcome = outcome
    with pytest.raises(DownloadError, match=KEY) as caught:
        copy(failing)
    assert caught.value.transient == transient
    assert "denied" not in str(caught.value)


class Hanging(AsyncFileSystem):
    """Knows sizes, then says nothing more; as clouds' filesystems it is asynchronous."""

    cachable = False

    async def _info(self, path: str, **_: object) -> dict[str, object]:
        return {"name": path, "type": "file", "size": 3}

    async def _cat_file(self, *_: object, **__: object) -> bytes:
        await asyncio.Event().wait()
        return b""


@pytest.mark.parametrize("limit", ["stall_s", "max_download_s"])
def test_a_stall_is_noticed(copy: Copy, limit: str) -> None:
    """Both limits cancel a request under way."""
    with pytest.raises(TransientDownloadError):
        copy(Hanging(), **{limit: 0.2})


def test_a_deadline_that_passed(memory: MemoryFileSystem, copy: Copy) -> None:
    """No further piece is asked for."""
    memory.pipe_file(KEY, b"abc")
    with pytest.raises(TransientDownloadError, match="ECM_MAX_DOWNLOAD_S"):
        copy(memory, max_download_s=0.0)


def test_a_missing_package_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    load = builtins.__import__

    def without_clouds(name: str, *rest: object) -> object:
        if name.partition(".")[0] in ("s3fs", "gcsfs", "adlfs"):
            raise ImportError(name)
        return load(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_clouds)
    rules = ReferenceRules(buckets=("s3://bucket",))
    with (
        pytest.raises(DownloadError, match=r"s3:.*pip install 'ecm-localizer\[clouds\]'") as caught,
        local_file(URI, rules, folder),
    ):
        pass
    assert not caught.value.transient

"""Copies of objects in buckets, through fsspec, within limits."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias, cast

from service.references.errors import DownloadError, ReferenceRefusedError, TransientDownloadError
from service.references.transfer import Transfer
from service.references.uri import Uri, parse_uri

SCHEMES = ("s3", "gs", "az")
_PIECE_BYTES = 4 * 2**20
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,221}")


class Filesystem(Protocol):
    """What is used of an fsspec filesystem; a timeout cancels the request."""

    def info(self, path: str, *, timeout: float) -> dict[str, Any]:
        """Returns `type` and `size` of an object."""

    def cat_file(self, path: str, *, start: int, end: int, timeout: float) -> bytes:
        """Returns some bytes of an object."""


OpenFilesystem: TypeAlias = Callable[[str], Filesystem]


def open_by_fsspec(scheme: str) -> Filesystem:
    """Returns the filesystem of a scheme; its credentials and endpoint come from the environment.

    Raises:
        DownloadError: the package for it is not installed.
    """
    try:
        import fsspec  # type: ignore[import-untyped]

        return cast("Filesystem", fsspec.filesystem(scheme))
    except ImportError as error:
        raise DownloadError(
            f"{scheme}: needs a package that is not installed here: "
            "pip install 'ecm-localizer[clouds]'"
        ) from error


def object_name(uri: Uri) -> tuple[str, ...]:
    """Returns scheme, bucket and the names of the path.

    Raises:
        ReferenceRefusedError: it is no URI of a bucket, or a part of it is not plain.
    """
    if uri.scheme not in SCHEMES or not _BUCKET.fullmatch(uri.authority or ""):
        raise ReferenceRefusedError(f"expected SCHEME://BUCKET/..., one of {SCHEMES}, got '{uri}'")
    segments = uri.segments() if uri.path else ()
    if uri.query is not None or any(set("?#") & set(name) for name in segments):
        raise ReferenceRefusedError(f"expected a name without '?' and '#', got '{uri}'")
    return (uri.scheme, uri.authority or "", *segments)


def prefix_name(text: str) -> tuple[str, ...]:
    """Returns scheme, bucket and names of a prefix such as `s3://bucket/videos/`."""
    return object_name(parse_uri(text.removesuffix("/")))


def allowed_object(uri: Uri, prefixes: tuple[str, ...]) -> str:
    """Returns `bucket/key` of a URI, if that is allowed.

    Raises:
        ReferenceRefusedError: it lies below none of the prefixes, or names no object.
    """
    name = object_name(uri)
    if len(name) < 3 or not any(_is_below(name, prefix) for prefix in prefixes):
        raise ReferenceRefusedError(
            f"'{uri}' may not be named here; an operator lists a prefix in ECM_VIDEO_BUCKETS"
        )
    return "/".join(name[1:])


def _is_below(name: tuple[str, ...], prefix: str) -> bool:
    """Returns whether a prefix ends where a name, or one of the names above it, ends."""
    above = prefix_name(prefix)
    return name[: len(above)] == above and not (name == above and prefix.endswith("/"))


def copy_object(
    uri: Uri, prefixes: tuple[str, ...], transfer: Transfer, open_filesystem: OpenFilesystem
) -> None:
    """Fetches an object piece by piece.

    Raises:
        ReferenceRefusedError: it may not be named, or is too large.
        DownloadError: it cannot be fetched.
        OSError: it cannot be written.
    """
    path = allowed_object(uri, prefixes)
    with _failures_told(uri):
        filesystem = open_filesystem(uri.scheme)
        info = filesystem.info(path, timeout=transfer.wait_s())
    size_bytes = info.get("size")
    if info.get("type") != "file" or not isinstance(size_bytes, int):
        raise DownloadError(f"expected an object with a size, '{uri}' is none")
    transfer.expect(size_bytes)
    for start in range(0, size_bytes, _PIECE_BYTES):
        end = min(start + _PIECE_BYTES, size_bytes)
        with _failures_told(uri):
            piece = filesystem.cat_file(path, start=start, end=end, timeout=transfer.wait_s())
        if len(piece) != end - start:
            raise TransientDownloadError(f"'{uri}': it changed meanwhile, or a piece broke off")
        transfer.write(piece)


@contextmanager
def _failures_told(uri: Uri) -> Iterator[None]:
    """Turns what cloud libraries raise, each its own, into errors that say if another try helps."""
    try:
        yield
    except DownloadError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise DownloadError(f"'{uri}': there is none, or it may not be read") from error
    except Exception as error:
        raise TransientDownloadError(f"'{uri}': failed with {type(error).__name__}") from error

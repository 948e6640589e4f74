"""Downloads objects from s3:, gs: and az: buckets through fsspec, within limits."""

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
    """The part of an fsspec filesystem that is used; a timeout cancels the request."""

    def info(self, path: str, *, timeout: float) -> dict[str, Any]:
        """Returns the `type` and `size` of an object."""

    def cat_file(self, path: str, *, start: int, end: int, timeout: float) -> bytes:
        """Returns the bytes from `start` to `end` of an object."""


OpenFilesystem: TypeAlias = Callable[[str], Filesystem]


def open_by_fsspec(scheme: str) -> Filesystem:
    """Returns the filesystem of a scheme; its credentials and endpoint come from the environment.

    Raises:
        DownloadError: the scheme's package is not installed.
    """
    try:
        import fsspec  # type: ignore[import-untyped]

        return cast("Filesystem", fsspec.filesystem(scheme))
    except ImportError as error:
        raise DownloadError(
            f"{scheme}: URIs need a package that is not installed; run "
            "pip install -c constraints.txt '.[clouds]'"
        ) from error


def object_name(uri: Uri) -> tuple[str, ...]:
    """Returns the scheme, the bucket and the names of the path.

    Raises:
        ReferenceRefusedError: the URI names no bucket, or a name contains special characters.
    """
    if uri.scheme not in SCHEMES or not _BUCKET.fullmatch(uri.authority or ""):
        raise ReferenceRefusedError(
            f"expected SCHEME://BUCKET/... with a scheme of {SCHEMES}, got '{uri}'"
        )
    segments = uri.segments() if uri.path else ()
    if uri.query is not None or any(set("?#") & set(name) for name in segments):
        raise ReferenceRefusedError(f"expected a name without '?' and '#', got '{uri}'")
    return (uri.scheme, uri.authority or "", *segments)


def prefix_name(text: str) -> tuple[str, ...]:
    """Returns the scheme, the bucket and the names of a prefix such as `s3://bucket/videos/`."""
    return object_name(parse_uri(text.removesuffix("/")))


def allowed_object(uri: Uri, prefixes: tuple[str, ...]) -> str:
    """Returns `bucket/key` of an allowed URI.

    Raises:
        ReferenceRefusedError: the URI is below none of the prefixes, or names no object.
    """
    name = object_name(uri)
    if len(name) < 3 or not any(_is_below(name, prefix) for prefix in prefixes):
        raise ReferenceRefusedError(
            f"'{uri}' is not allowed here; the operator lists allowed prefixes in ECM_VIDEO_BUCKETS"
        )
    return "/".join(name[1:])


def _is_below(name: tuple[str, ...], prefix: str) -> bool:
    """Returns whether an object is below a prefix; a prefix ends at a whole name."""
    above = prefix_name(prefix)
    return name[: len(above)] == above and not (name == above and prefix.endswith("/"))


def copy_object(
    uri: Uri, prefixes: tuple[str, ...], transfer: Transfer, open_filesystem: OpenFilesystem
) -> None:
    """Downloads an object in pieces.

    Raises:
        ReferenceRefusedError: the object is not allowed, or is too large.
        DownloadError: the object cannot be fetched.
        OSError: the file cannot be written.
    """
    path = allowed_object(uri, prefixes)
    with _failures_as_download_errors(uri):
        filesystem = open_filesystem(uri.scheme)
        info = filesystem.info(path, timeout=transfer.wait_s())
    size_bytes = info.get("size")
    if info.get("type") != "file" or not isinstance(size_bytes, int):
        raise DownloadError(f"expected an object with a known size, '{uri}' is not one")
    transfer.expect(size_bytes)
    for start in range(0, size_bytes, _PIECE_BYTES):
        end = min(start + _PIECE_BYTES, size_bytes)
        with _failures_as_download_errors(uri):
            piece = filesystem.cat_file(path, start=start, end=end, timeout=transfer.wait_s())
        if len(piece) != end - start:
            raise TransientDownloadError(f"'{uri}': the object changed, or a piece was cut short")
        transfer.write(piece)


@contextmanager
def _failures_as_download_errors(uri: Uri) -> Iterator[None]:
    """Turns the exceptions of the cloud libraries into errors that record if a retry may help."""
    try:
        yield
    except DownloadError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise DownloadError(f"'{uri}': no such object, or no permission to read it") from error
    except Exception as error:
        raise TransientDownloadError(
            f"'{uri}': the download failed with {type(error).__name__}"
        ) from error

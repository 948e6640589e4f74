"""Rules for the videos that a request may name by URI, and the local file of an allowed video.

Allowed are `file:` below listed folders, `https:` from listed hosts, and `s3:`, `gs:` and `az:`
below listed prefixes. docs/reference/video-uris.md is the operator's guide.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.errors import OptionError
from service.references import buckets as bucket_copy
from service.references import https as https_download
from service.references.buckets import OpenFilesystem, open_by_fsspec
from service.references.errors import ReferenceRefusedError
from service.references.guarded_network import Network
from service.references.transfer import Transfer, too_large
from service.references.uri import Uri, parse_uri

_INTERNET = Network()


@dataclass(frozen=True, slots=True)
class ReferenceRules:
    """Videos that requests may name, none by default, and the limits of a download."""

    roots: tuple[Path, ...] = ()
    """Folders below which `file:` URIs are allowed."""
    hosts: tuple[str, ...] = ()
    """Hosts that `https:` URIs may name: `host`, `host:port`, or `*.host` for its subdomains."""
    buckets: tuple[str, ...] = ()
    """Prefixes of allowed bucket objects, such as `s3://bucket/videos/`."""
    max_bytes: int = 4 * 2**30
    """Size of the largest allowed video."""
    max_download_s: float = 600.0
    """Longest duration of a whole download."""
    stall_s: float = 20.0
    """Longest wait for a connection or for the next bytes of a download."""

    def __post_init__(self) -> None:
        for host in self.hosts:
            try:
                https_download.HostRule.parse(host)
            except ReferenceRefusedError as error:
                raise OptionError(f"ECM_VIDEO_HOSTS, entry {host!r}: {error}") from error
        for prefix in self.buckets:
            try:
                bucket_copy.prefix_name(prefix)
            except ReferenceRefusedError as error:
                raise OptionError(f"ECM_VIDEO_BUCKETS, entry {prefix!r}: {error}") from error


def check_reference(uri: str, rules: ReferenceRules) -> None:
    """Checks a URI against the rules without network access.

    Raises:
        ReferenceRefusedError: the URI is not allowed, or its file is missing or too large.
    """
    parsed = parse_uri(uri)
    if parsed.scheme == "file":
        _allowed_file(parsed, rules)
    elif parsed.scheme == "https":
        https_download.allowed_origin(parsed, rules.hosts)
    elif parsed.scheme in bucket_copy.SCHEMES:
        bucket_copy.allowed_object(parsed, rules.buckets)
    else:
        raise ReferenceRefusedError(
            f"expected file:, https:, s3:, gs: or az:, got {parsed.scheme[:20]!r}"
        )


def named_file(uri: str, rules: ReferenceRules) -> Path | None:
    """Returns the file that an allowed `file:` URI names; None for other schemes.

    Raises:
        ReferenceRefusedError: the URI is not allowed, or its file is missing or too large.
    """
    parsed = parse_uri(uri)
    return _allowed_file(parsed, rules) if parsed.scheme == "file" else None


@contextmanager
def local_file(
    uri: str,
    rules: ReferenceRules,
    folder: Path,
    *,
    network: Network = _INTERNET,
    open_filesystem: OpenFilesystem = open_by_fsspec,
) -> Iterator[Path]:
    """Yields the local file of a video: the named file, or a download that is deleted afterwards.

    Args:
        uri: URI of the video.
        rules: the allowed URIs and the limits of a download.
        folder: destination of a download.
        network: network of https connections.
        open_filesystem: returns the fsspec filesystem of a scheme.

    Raises:
        ReferenceRefusedError: the URI or a redirect is not allowed, or the video is too large.
        DownloadError: the video cannot be fetched; `transient` is whether a retry may help.
        OSError: the download cannot be written, for example because the disk is full.
    """
    check_reference(uri, rules)
    parsed = parse_uri(uri)
    if parsed.scheme == "file":
        yield _allowed_file(parsed, rules)
        return
    with tempfile.NamedTemporaryFile(dir=folder, prefix="video-") as file:
        transfer = Transfer(
            file,
            max_bytes=rules.max_bytes,
            max_download_s=rules.max_download_s,
            stall_s=rules.stall_s,
        )
        if parsed.scheme == "https":
            https_download.download(parsed, rules.hosts, transfer, network)
        else:
            bucket_copy.copy_object(parsed, rules.buckets, transfer, open_filesystem)
        file.flush()
        yield folder / Path(file.name).name


def _allowed_file(uri: Uri, rules: ReferenceRules) -> Path:
    """Returns the path with all links resolved; never touches the disk outside the roots."""
    if (uri.authority or "").lower() not in ("", "localhost") or uri.query is not None:
        raise ReferenceRefusedError(f"expected file:///PATH, got '{uri}'")
    named = Path("/", *uri.segments())
    roots = [root.resolve() for root in rules.roots]
    inside = is_below(named, [*roots, *(root.absolute() for root in rules.roots)])
    path = Path(os.path.realpath(named)) if inside else named
    if not (inside and is_below(path, roots)):
        raise ReferenceRefusedError(
            f"'{uri}' is outside the allowed folders; the operator lists them in ECM_VIDEO_ROOTS"
        )
    _check_file(path, uri, rules.max_bytes)
    return path


def is_below(path: Path, folders: list[Path]) -> bool:
    """Returns whether a path is one of the folders or below one of them."""
    return any(path.is_relative_to(folder) for folder in folders)


def _check_file(path: Path, uri: Uri, max_bytes: int) -> None:
    try:
        status = path.lstat()
    except OSError as error:
        raise ReferenceRefusedError(f"there is no file '{uri}'") from error
    if not stat.S_ISREG(status.st_mode):
        raise ReferenceRefusedError(f"expected a regular file, '{uri}' is not one")
    if status.st_size > max_bytes:
        raise ReferenceRefusedError(too_large(status.st_size, max_bytes))

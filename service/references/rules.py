"""Videos that a request names by a URI: which may be named, and the local file of one.

`file:` below given folders, `https:` from given hosts, `s3:`, `gs:` and `az:` below given prefixes;
docs/references.md tells operators.
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
    """Which videos may be named and what fetching one may take; by default none may."""

    roots: tuple[Path, ...] = ()
    """Folders below which `file:` names may lie."""
    hosts: tuple[str, ...] = ()
    """Hosts that `https:` may name: `host`, `host:port`, or `*.host` for those below it."""
    buckets: tuple[str, ...] = ()
    """Prefixes of objects that may be named, such as `s3://bucket/videos/`."""
    max_bytes: int = 4 * 2**30
    """Largest video."""
    max_download_s: float = 600.0
    """Longest download as a whole."""
    stall_s: float = 20.0
    """Longest wait for a connection or for the next bytes."""

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
    """Refuses at once what `local_file` would refuse; touches no network.

    Raises:
        ReferenceRefusedError: the URI may not be named; or the file is not there or too large.
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


@contextmanager
def local_file(
    uri: str,
    rules: ReferenceRules,
    folder: Path,
    *,
    network: Network = _INTERNET,
    open_filesystem: OpenFilesystem = open_by_fsspec,
) -> Iterator[Path]:
    """Gives the local file of a video: the file that was named, or a download, removed afterwards.

    Args:
        uri: Names the video.
        rules: What may be named, and the limits of a download.
        folder: Where a download is kept for the length of the `with`.
        network: What https connections are made with.
        open_filesystem: Gives the fsspec filesystem of a scheme.

    Raises:
        ReferenceRefusedError: the URI may not be named or leads astray; the video is too large.
        DownloadError: it cannot be fetched; `transient` says whether another try may help.
        OSError: it cannot be written, because the disk is full for example.
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
    """Returns the file with all links resolved; outside the roots, nothing is even looked at."""
    if (uri.authority or "").lower() not in ("", "localhost") or uri.query is not None:
        raise ReferenceRefusedError(f"expected file:///PATH, got '{uri}'")
    named = Path("/", *uri.segments())
    roots = [root.resolve() for root in rules.roots]
    inside = _is_below(named, [*roots, *(root.absolute() for root in rules.roots)])
    path = Path(os.path.realpath(named)) if inside else named
    if not (inside and _is_below(path, roots)):
        raise ReferenceRefusedError(
            f"'{uri}' lies outside the folders that may be named; an operator lists them in "
            "ECM_VIDEO_ROOTS"
        )
    _check_file(path, uri, rules.max_bytes)
    return path


def _is_below(path: Path, folders: list[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _check_file(path: Path, uri: Uri, max_bytes: int) -> None:
    try:
        status = path.lstat()
    except OSError as error:
        raise ReferenceRefusedError(f"there is no file '{uri}'") from error
    if not stat.S_ISREG(status.st_mode):
        raise ReferenceRefusedError(f"expected a regular file, '{uri}' is none")
    if status.st_size > max_bytes:
        raise ReferenceRefusedError(too_large(status.st_size, max_bytes))

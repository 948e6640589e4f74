"""Downloads videos over https from allowed hosts, redirects included, within limits."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urljoin

import httpcore

from service.references.errors import DownloadError, ReferenceRefusedError, TransientDownloadError
from service.references.guarded_network import GuardedBackend, Network, is_public
from service.references.transfer import Transfer
from service.references.uri import Uri, parse_uri

MAX_REDIRECTS = 5
_HTTPS_PORT = 443
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (408, 425, 429)
_AUTHORITY = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Host and port of a URI."""

    host: str
    """Host in lower case; an IPv6 address has no brackets."""
    port: int

    def __str__(self) -> str:
        """Returns the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _HTTPS_PORT else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """An allowed host, or all its subdomains."""

    origin: Origin
    subdomains: bool
    """Whether the rule allows the subdomains of the host instead of the host itself."""

    @classmethod
    def parse(cls, text: str) -> "HostRule":
        """Parses `host`, `host:port` or `*.host`.

        Raises:
            ReferenceRefusedError: the text has none of these forms.
        """
        return cls(parse_origin(text.removeprefix("*.")), text.startswith("*."))

    def allows(self, origin: Origin) -> bool:
        """Returns whether an origin is allowed."""
        if self.subdomains:
            below = origin.host.endswith(f".{self.origin.host}")
            return below and origin.port == self.origin.port
        return origin == self.origin


def parse_origin(authority: str) -> Origin:
    """Parses a host and a port; the port is 443 by default.

    Raises:
        ReferenceRefusedError: the text has a user, a password or a final dot, or no plain host.
    """
    parts = _AUTHORITY.fullmatch(authority.lower())
    if parts is None or int(parts[2] or _HTTPS_PORT) > 65535:
        raise ReferenceRefusedError(
            "expected HOST or HOST:PORT without user or password, "
            f"got {authority.rpartition('@')[2][:100]!r}"
        )
    return Origin(_plain_host(parts[1]), int(parts[2] or _HTTPS_PORT))


def _plain_host(host: str) -> str:
    if _NAME.fullmatch(host):
        return host
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError as error:
        raise ReferenceRefusedError(
            f"expected a host name or a full IP address, got {host[:100]!r}"
        ) from error


def allowed_origin(uri: Uri, hosts: tuple[str, ...]) -> Origin:
    """Returns the origin of an allowed URI.

    Raises:
        ReferenceRefusedError: the URI is not https, or its host is not allowed or not public.
    """
    if uri.scheme != "https":
        raise ReferenceRefusedError(f"expected https:, got '{uri}'")
    origin = parse_origin(uri.authority or "")
    if not any(HostRule.parse(host).allows(origin) for host in hosts):
        raise ReferenceRefusedError(
            f"the host '{origin}' is not allowed here; the operator lists allowed hosts in "
            "ECM_VIDEO_HOSTS"
        )
    if not _NAME.fullmatch(origin.host) and not is_public(origin.host):
        raise ReferenceRefusedError(f"expected a public address, got {origin.host!r}")
    return origin


def download(uri: Uri, hosts: tuple[str, ...], transfer: Transfer, network: Network) -> None:
    """Downloads a video.

    Raises:
        ReferenceRefusedError: the URI or a redirect is not allowed, or the video is too large.
        DownloadError: the video cannot be fetched.
        OSError: the file cannot be written.
    """
    backend = GuardedBackend(network, transfer.wait_s)
    pool = httpcore.ConnectionPool(
        network.ssl_context, max_keepalive_connections=0, network_backend=backend
    )
    with _failures_as_download_errors(uri), pool:
        for _ in range(1 + MAX_REDIRECTS):
            with _response(uri, hosts, pool) as response:
                if response.status not in _REDIRECTS:
                    _receive(uri, response, transfer)
                    return
                uri = _redirected(uri, response)
    raise DownloadError(f"expected at most {MAX_REDIRECTS} redirects, the next one goes to '{uri}'")


@contextmanager
def _response(
    uri: Uri, hosts: tuple[str, ...], pool: httpcore.ConnectionPool
) -> Iterator[httpcore.Response]:
    """Requests a URI after all checks; yields the response with its body unread."""
    origin = allowed_origin(uri, hosts)
    target = (uri.path or "/") + ("" if uri.query is None else f"?{uri.query}")
    url = httpcore.URL(scheme="https", host=origin.host, port=origin.port, target=target)
    headers = (
        ("Host", str(origin)),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "ecm-localizer"),
    )
    with pool.stream("GET", url, headers=headers) as response:
        yield response


@contextmanager
def _failures_as_download_errors(uri: Uri) -> Iterator[None]:
    """Turns network failures into errors that record whether a retry may help."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise TransientDownloadError(
            f"'{uri}': the download is too slow; the operator sets the limits "
            "ECM_DOWNLOAD_STALL_S and ECM_MAX_DOWNLOAD_S"
        ) from error
    except httpcore.NetworkError as error:
        raise TransientDownloadError(f"'{uri}': the connection failed") from error
    except httpcore.RemoteProtocolError as error:
        raise TransientDownloadError(f"'{uri}': the response broke off or is not HTTP") from error


def _redirected(uri: Uri, response: httpcore.Response) -> Uri:
    location = _header(response, b"location")
    if location is None:
        raise DownloadError(f"'{uri}': redirected without a Location header")
    try:
        absolute = urljoin(f"https://{uri.authority}{uri.path}", location)
    except ValueError as error:
        raise DownloadError(f"'{uri}': redirected to something that is not a URI") from error
    return parse_uri(absolute)


def _receive(uri: Uri, response: httpcore.Response, transfer: Transfer) -> None:
    if response.status != HTTPStatus.OK:
        transient = response.status >= 500 or response.status in _TRANSIENT
        kind = TransientDownloadError if transient else DownloadError
        raise kind(f"'{uri}': expected status 200, got {response.status}")
    coding = _header(response, b"content-encoding")
    if coding is not None and coding.lower() != "identity":
        raise DownloadError(f"'{uri}': expected no Content-Encoding, got {coding[:50]!r}")
    length = _header(response, b"content-length")
    if length is not None:
        transfer.expect(int(length))
    elif _header(response, b"transfer-encoding") is None:
        raise DownloadError(
            f"'{uri}': expected Content-Length or chunks, because the end is unknown without them"
        )
    for piece in response.iter_stream():
        transfer.write(piece)


def _header(response: httpcore.Response, name: bytes) -> str | None:
    values = [value for key, value in response.headers if key.lower() == name]
    return b", ".join(values).decode("latin-1").strip() if values else None

"""Connections to public internet addresses only, whatever a host name resolves to.

A name is resolved once for each connection, and all its addresses are checked. The connection goes
to one of those addresses, so a later DNS response (DNS rebinding) has no effect. TLS still verifies
the name.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeAlias

import httpcore

from service.references.errors import DownloadError, ReferenceRefusedError, TransientDownloadError

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]

_NOT_PUBLIC_4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("168.63.129.16/32"),  # Azure's own services, as seen from an Azure machine
)
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = (
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation
)
_NAT64 = IPv6Network("64:ff9b::/96")


def resolve_by_system(host: str, port: int) -> list[str]:
    """Returns the addresses of a host in the operating system's order of preference."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


@dataclass(frozen=True, slots=True)
class Network:
    """Resolver, network and certificate authorities of connections; tests replace them."""

    resolve: Resolve = resolve_by_system
    """Returns the addresses of a host."""
    wire: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)
    """Connects to a checked address."""
    ssl_context: ssl.SSLContext | None = None
    """TLS context; None for the default certificate authorities."""


class GuardedBackend(httpcore.NetworkBackend):
    """Network backend of httpcore for public addresses only; `wait_s()` limits each step."""

    def __init__(self, network: Network, wait_s: Callable[[], float]) -> None:
        self._network = network
        self._wait_s = wait_s

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Returns a connection to the first address of a host that accepts one.

        Raises:
            ReferenceRefusedError: an address of the host is not public.
            DownloadError: the host has no address.
        """
        failure: Exception = DownloadError(f"the host {host!r} has no address")
        for address in self._public_addresses(host, port):
            try:
                stream = self._network.wire.connect_tcp(
                    address,
                    port,
                    timeout=self._wait_s(),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._wait_s)
        raise failure

    def _public_addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = self._network.resolve(host, port)
        except socket.gaierror as error:
            unknown = error.errno == socket.EAI_NONAME
            kind = DownloadError if unknown else TransientDownloadError
            raise kind(f"the host {host!r} cannot be resolved") from error
        if not all(map(is_public, addresses)):
            raise ReferenceRefusedError(
                f"the host {host!r} resolves to an address that is not public; use a file: URI "
                "for videos inside your network (ECM_VIDEO_ROOTS)"
            )
        return addresses


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every read and write is limited to `wait_s()`."""

    def __init__(self, stream: httpcore.NetworkStream, wait_s: Callable[[], float]) -> None:
        self._stream = stream
        self._wait_s = wait_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._wait_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._wait_s())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, self._wait_s())
        except BaseException as error:
            self.close()  # httpcore does not close it after a failed handshake
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                message = f"the certificate of the host {server_hostname!r} is not valid"
                raise DownloadError(message) from error
            raise
        return _TimedStream(stream, self._wait_s)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def is_public(address: str) -> bool:
    """Returns whether an address belongs to the public internet and to no tunnel.

    IPv4 addresses in the mapped and the NAT64 form of IPv6 count as the IPv4 address. The
    deprecated forms (compatible, 6to4, Teredo) are never public.
    """
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return _is_public_4(parsed)
    if parsed.scope_id is not None:
        return False
    if parsed.ipv4_mapped is not None:
        return _is_public_4(parsed.ipv4_mapped)
    if parsed in _NAT64:
        return _is_public_4(IPv4Address(parsed.packed[-4:]))
    return _is_public_6(parsed)


def _is_public_4(address: IPv4Address) -> bool:
    is_global = address.is_global and not address.is_multicast and not address.is_reserved
    return is_global and not any(address in network for network in _NOT_PUBLIC_4)


def _is_public_6(address: IPv6Address) -> bool:
    is_global = address in _GLOBAL_UNICAST_6 and address.is_global
    return is_global and not any(address in network for network in _NOT_PUBLIC_6)

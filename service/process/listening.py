"""Listening sockets, bound before the models are loaded."""

import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

from model.errors import OptionError
from service.settings import Settings

EVERYWHERE: Final = "*"
"""Host that means all IPv4 and IPv6 addresses of this machine."""


def bind(settings: Settings) -> list[socket.socket]:
    """Returns a socket for each address of the host, bound to the port.

    The sockets do not listen yet, so clients are refused until the models are loaded and can turn
    to another service.

    Raises:
        OptionError: the host has no such address, or the port is not available.
    """
    bound: list[socket.socket] = []
    try:
        for family, address in _addresses(settings):
            if settings.host == EVERYWHERE and not _has(family):
                continue
            one = socket.socket(family, socket.SOCK_STREAM)
            bound.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Any free port is the same one on every address.
            port = settings.port or bound[0].getsockname()[1]
            one.bind((address[0], port, *address[2:]))
    except OSError as error:
        for one in bound:
            one.close()
        raise unusable_address(settings, error) from error
    return bound


def unusable_address(settings: Settings, error: OSError) -> OptionError:
    """Returns the error for an address that cannot be used, with advice for the operator."""
    host, port = settings.host, settings.port
    choose_host = "set host (--host or ECM_HOST) to one, or to * for all"
    choose_port = "choose another port (--port or ECM_PORT)"
    if isinstance(error, socket.gaierror):
        return OptionError(f"host {host!r} has no address; {choose_host}")
    messages = {
        errno.EADDRINUSE: f"port {port} of {host} is taken by another process; end that process, "
        f"or {choose_port}",
        errno.EADDRNOTAVAIL: f"{host} is not an address of this machine; {choose_host}",
        errno.EACCES: f"port {port} is reserved for privileged processes; {choose_port}",
    }
    reason = os.strerror(error.errno) if error.errno else str(error)
    other = f"cannot listen on port {port} of {host} ({reason}); choose another host or port"
    return OptionError(messages.get(error.errno or 0, other))


def urls(sockets: Sequence[socket.socket]) -> str:
    """Returns the URLs of the service on its sockets, separated by commas."""
    names = (one.getsockname()[:2] for one in sockets)
    return ", ".join(
        f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        for host, port in names
    )


def metrics_host(host: str) -> str:
    """Returns the address for the metrics' server, which listens on one socket."""
    if host != EVERYWHERE:
        return host
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"


def _addresses(settings: Settings) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    host = None if settings.host == EVERYWHERE else settings.host
    found = socket.getaddrinfo(
        host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    # The declared type of an address is wider than (host, port, ...).
    return list(dict.fromkeys((family, address) for family, *_, address in found))  # type: ignore[misc]


def _has(family: socket.AddressFamily) -> bool:
    """Returns whether this machine has a version of IP; containers often lack IPv6."""
    loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    try:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.bind((loopback, 0))
    except OSError:
        return False
    return True

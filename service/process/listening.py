"""Listening sockets, bound before the models are loaded."""

import errno
import os
import socket
from collections.abc import Sequence

from model.errors import OptionError
from service.settings import Settings


def bind(settings: Settings) -> list[socket.socket]:
    """Returns a socket for each address of the host, bound to the port.

    The sockets do not listen yet, so clients are refused until the models are loaded and can turn
    to another service.

    Raises:
        OptionError: the host has no such address, or the port is not available.
    """
    bound: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in _addresses(settings):
            one = socket.socket(family, kind, protocol)
            bound.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError as error:
        for one in bound:
            one.close()
        raise unusable_address(settings, error) from error
    return bound


def unusable_address(settings: Settings, error: OSError) -> OptionError:
    """Returns the error for an address that cannot be used, with advice for the operator."""
    host, port = settings.host, settings.port
    choose_host = "set host (--host or ECM_HOST) to one, or to 0.0.0.0 for all"
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


def _addresses(
    settings: Settings,
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]:
    addresses = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    # The declared type of an address is wider than (host, port, ...).
    return list(dict.fromkeys(addresses))  # type: ignore[arg-type]

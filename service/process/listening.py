"""The sockets on which the service listens, bound before anything is loaded."""

import errno
import os
import socket
from collections.abc import Sequence

from model.errors import OptionError
from service.settings import Settings


def bind(settings: Settings) -> list[socket.socket]:
    """Returns a socket for each address of the settings' host, bound to their port.

    None listens yet: who asks before the models are loaded is refused and may ask elsewhere.

    Raises:
        OptionError: the host has no such address, or the port cannot be had.
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
    """Returns what is wrong with the address that an operator chose, and what to do."""
    host, port = settings.host, settings.port
    choose_host = "set host (--host or ECM_HOST) to one, or to 0.0.0.0 for all"
    choose_port = "choose another by port (--port or ECM_PORT)"
    if isinstance(error, socket.gaierror):
        return OptionError(f"host {host!r} has no address; {choose_host}")
    told = {
        errno.EADDRINUSE: f"port {port} of {host} is taken by another process; end that, or "
        + choose_port,
        errno.EADDRNOTAVAIL: f"{host} is no address of this machine; {choose_host}",
        errno.EACCES: f"port {port} is for privileged processes alone; {choose_port}",
    }
    reason = os.strerror(error.errno) if error.errno else str(error)
    other = f"port {port} of {host} cannot be listened on ({reason}); set host and port to others"
    return OptionError(told.get(error.errno or 0, other))


def urls(sockets: Sequence[socket.socket]) -> str:
    """Returns where clients find what listens on some sockets."""
    names = (one.getsockname()[:2] for one in sockets)
    return ", ".join(
        f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        for host, port in names
    )


def _addresses(
    settings: Settings,
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]:
    found = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(dict.fromkeys(found))  # type: ignore[arg-type]  # addresses begin so

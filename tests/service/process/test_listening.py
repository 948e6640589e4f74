"""The addresses that the service listens on."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from model.errors import OptionError
from service.process import listening
from service.process.listening import bind, metrics_host
from service.settings import Settings


@pytest.fixture
def bound() -> Iterator[ExitStack]:
    """Closes sockets."""
    with ExitStack() as stack:
        yield stack


def families(sockets: list[socket.socket]) -> set[socket.AddressFamily]:
    return {socket.AddressFamily(one.family) for one in sockets}


def test_a_star_is_every_address_of_both_versions_of_ip(bound: ExitStack) -> None:
    """On one port, also if it is any free one."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    sockets = [bound.enter_context(one) for one in bind(Settings(host="*", port=0))]
    assert families(sockets) == {socket.AF_INET, socket.AF_INET6}
    assert len({one.getsockname()[1] for one in sockets}) == 1
    for one in sockets:
        one.listen()
    port = sockets[0].getsockname()[1]
    for address in ("127.0.0.1", "::1"):
        socket.create_connection((address, port), timeout=5).close()


def test_a_machine_without_ipv6_serves_ipv4(
    bound: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many containers are such machines."""
    monkeypatch.setattr(listening, "_has", lambda family: family == socket.AF_INET)
    sockets = [bound.enter_context(one) for one in bind(Settings(host="*", port=0))]
    assert families(sockets) == {socket.AF_INET}


def test_one_address_is_one_socket(bound: ExitStack) -> None:
    """0.0.0.0 is IPv4 only, :: is IPv6 only."""
    for host, family in (("127.0.0.1", socket.AF_INET), ("0.0.0.0", socket.AF_INET)):
        sockets = [bound.enter_context(one) for one in bind(Settings(host=host, port=0))]
        assert [socket.AddressFamily(one.family) for one in sockets] == [family]


def test_an_address_of_another_machine_is_named() -> None:
    """With the remedy."""
    with pytest.raises(OptionError, match=r"203.0.113.1 is not an address .* to \* for all"):
        bind(Settings(host="203.0.113.1", port=0))


def test_metrics_listen_on_the_same_addresses() -> None:
    """Their server has one socket, which takes both versions of IP where it can."""
    assert metrics_host("127.0.0.1") == "127.0.0.1"
    assert metrics_host("*") in ("::", "0.0.0.0")

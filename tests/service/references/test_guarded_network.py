import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.references.errors import DownloadError, ReferenceRefusedError, TransientDownloadError
from service.references.guarded_network import GuardedBackend, Network, is_public

PRIVATE_4 = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.9", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
)  # fmt: skip
PRIVATE_6 = (
    "::", "::1", "::2", "100::1", "64:ff9b:1::1", "2001:db8::1", "2001:20::1", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "ff0e::1",
    "2606:4700::1111%1",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8",
          "64:ff9b::8.8.8.8")  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE_4 + PRIVATE_6)
def test_addresses_that_are_not_public(address: str) -> None:
    """Private, shared, loopback, link-local, metadata, multicast, reserved, documentation."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_that_are_public(address: str) -> None:
    """These are ordinary addresses, and the two current forms of IPv4 in IPv6."""
    assert is_public(address)


@given(st.sampled_from(PRIVATE_4).map(IPv4Address) | st.ip_addresses(v=4))
def test_ipv4_in_ipv6_counts_as_the_ipv4_address(inner: IPv4Address) -> None:
    """This holds for mapped and NAT64; compatible, 6to4 and Teredo are never public."""
    number, public = int(inner), is_public(str(inner))
    mapped = IPv6Address(int(IPv6Address("::ffff:0:0")) | number)
    nat64 = IPv6Address(int(IPv6Address("64:ff9b::")) | number)
    assert (public, public) == (is_public(str(mapped)), is_public(str(nat64)))
    compatible = IPv6Address(number)
    six_to_four = IPv6Address(int(IPv6Address("2002::")) | number << 80)
    teredo = IPv6Address(int(IPv6Address("2001::")) | (number ^ 0xFFFFFFFF))
    teredo_server = IPv6Address(int(IPv6Address("2001::")) | number << 64)
    for address in (compatible, six_to_four, teredo, teredo_server):
        assert not is_public(str(address))


@pytest.mark.parametrize("network", ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "224.0.0.0/4"])
def test_whole_ipv4_networks_are_not_public(network: str) -> None:
    """The first and the last address of a network are checked."""
    whole = IPv4Network(network)
    assert [is_public(str(whole[0])), is_public(str(whole[-1]))] == [False, False]


@given(st.ip_addresses(v=6))
def test_public_ipv6_is_global_unicast(address: IPv6Address) -> None:
    """All other public IPv6 addresses contain an IPv4 address."""
    holds_4 = address.ipv4_mapped is not None or address in IPv6Network("64:ff9b::/96")
    if is_public(str(address)) and not holds_4:
        assert address in IPv6Network("2000::/3")


class RecordingWire(httpcore.NetworkBackend):
    """A network that records connections and accepts only given addresses."""

    def __init__(self, *alive: str) -> None:
        self.alive = alive
        self.asked: list[tuple[str, int]] = []

    def connect_tcp(self, host, port, **_):
        """Records the address."""
        self.asked.append((host, port))
        if host not in self.alive:
            raise httpcore.ConnectError("refused")
        return httpcore.MockStream([])


def connect(wire: RecordingWire, answers: Sequence[str]) -> None:
    network = Network(resolve=lambda *_: answers, wire=wire)
    GuardedBackend(network, lambda: 1.0).connect_tcp("videos.example", 8443).close()


@pytest.mark.parametrize("private", ["127.0.0.1", "::1", "10.1.2.3", "::ffff:169.254.169.254"])
def test_one_private_address_refuses_the_host(private: str) -> None:
    """There is no connection, even if other addresses are public."""
    wire = RecordingWire("8.8.8.8")
    for answers in ([private], ["8.8.8.8", private], [private, "8.8.8.8"]):
        with pytest.raises(ReferenceRefusedError, match="not public"):
            connect(wire, answers)
    assert wire.asked == []


def test_the_next_address_is_tried_after_a_failure() -> None:
    """Addresses are tried in order until one accepts the connection."""
    wire = RecordingWire("8.8.8.8")
    connect(wire, ["2606:4700::1111", "8.8.8.8", "8.8.4.4"])
    assert wire.asked == [("2606:4700::1111", 8443), ("8.8.8.8", 8443)]
    with pytest.raises(httpcore.ConnectError):
        connect(wire, ["8.8.4.4"])


def test_a_changing_dns_response_has_no_effect() -> None:
    """A name is resolved once, and the connection goes to the checked address."""
    wire = RecordingWire("8.8.8.8", "127.0.0.1")
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    backend = GuardedBackend(Network(resolve=lambda *_: next(answers), wire=wire), lambda: 1.0)
    backend.connect_tcp("videos.example", 443).close()
    assert wire.asked == [("8.8.8.8", 443)]
    with pytest.raises(ReferenceRefusedError):
        backend.connect_tcp("videos.example", 443)
    assert wire.asked == [("8.8.8.8", 443)]


def test_hosts_without_an_address_are_errors() -> None:
    """An unknown name is final; a failing resolver may be retried."""

    def failing(code: int) -> Network:
        def resolve(host: str, port: int) -> list[str]:
            raise socket.gaierror(code, "no answer")

        return Network(resolve=resolve)

    for code, transient in ((socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)):
        with pytest.raises(DownloadError) as caught:
            GuardedBackend(failing(code), lambda: 1.0).connect_tcp("videos.example", 443)
        assert transient == caught.value.transient
    with pytest.raises(DownloadError, match="no address"):
        connect(RecordingWire(), [])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "::1"])
def test_addresses_of_the_system_resolver_are_checked(host: str) -> None:
    """Every spelling of the loopback is refused."""
    with pytest.raises((ReferenceRefusedError, DownloadError)):
        GuardedBackend(Network(), lambda: 1.0).connect_tcp(host, 443)


def test_no_connection_after_the_deadline() -> None:
    """An exception of `wait_s` prevents the connection."""

    def over() -> float:
        raise TransientDownloadError("too late")

    wire = RecordingWire("8.8.8.8")
    with pytest.raises(TransientDownloadError):
        GuardedBackend(Network(lambda *_: ["8.8.8.8"], wire), over).connect_tcp("a.example", 443)
    assert wire.asked == []

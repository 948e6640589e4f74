"""Downloads over https, with a TLS server on the loopback instead of public addresses."""

import contextlib
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import httpcore
import pytest
import trustme

from service.references.errors import DownloadError, ReferenceRefusedError, TransientDownloadError
from service.references.guarded_network import Network
from service.references.rules import ReferenceRules, local_file

HOST, ADDRESS = "videos.example", "93.184.216.34"
URI = f"https://{HOST}/a.mp4"
Answer: TypeAlias = Callable[[ssl.SSLSocket], None]


class VideoHost:
    """A server that gives each connection the next of its responses, then repeats the last."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.answers: list[Answer] = []
        self.heads: list[str] = []
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Ends the current responses."""
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, contextlib.suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        with self._context.wrap_socket(connection, server_side=True) as stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += stream.recv(65536)
            self.heads.append(head.decode())
            (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(stream)

    def drip(self, start: bytes) -> Answer:
        """Sends some bytes, then one at a time without end."""

        def answer(stream: ssl.SSLSocket) -> None:
            stream.sendall(start)
            while not self.ended.wait(0.01):
                stream.sendall(b"x")

        return answer


def stall(start: bytes) -> Answer:
    """Sends some bytes, then nothing until the client disconnects."""

    def answer(stream: ssl.SSLSocket) -> None:
        stream.sendall(start)
        stream.recv(1)

    return answer


def reply(status: str = "200 OK", *headers: str, body: bytes = b"") -> Answer:
    """Sends the given bytes, then closes."""
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode()
    return lambda stream: stream.sendall(head + body)


def video(body: bytes) -> Answer:
    return reply("200 OK", f"Content-Length: {len(body)}", body=body)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def redirect(location: str) -> Answer:
    return reply("302 Found", f"Location: {location}", "Content-Length: 0")


class LoopbackWire(httpcore.NetworkBackend):
    """A network that redirects every address to the loopback and records it."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self._port = port

    def connect_tcp(self, host, _port, timeout=None, **_):
        """Records the address."""
        self.asked.append(host)
        return httpcore.SyncBackend().connect_tcp("127.0.0.1", self._port, timeout)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def host(authority: trustme.CA) -> Iterator[VideoHost]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "other.example", ADDRESS).configure_cert(context)
    host = VideoHost(context)
    yield host
    host.close()


@pytest.fixture
def wire(host: VideoHost) -> LoopbackWire:
    return LoopbackWire(host.listener.getsockname()[1])


@pytest.fixture
def network(wire: LoopbackWire, authority: trustme.CA) -> Network:
    """A network in which all hosts are public, with certificates of the test's authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Network(resolve=lambda *_: [ADDRESS], wire=wire, ssl_context=context)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for downloads that must be empty after every test."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


Fetch: TypeAlias = Callable[..., bytes]


@pytest.fixture
def fetch(folder: Path, network: Network) -> Fetch:
    """Returns the bytes of a video, or raises."""

    def fetch(
        uri: str = URI, hosts: Iterable[str] = (HOST,), network: Network = network, **limits: float
    ) -> bytes:
        rules = ReferenceRules(hosts=tuple(hosts), **limits)  # type: ignore[arg-type]
        with local_file(uri, rules, folder, network=network) as path:
            return path.read_bytes()

    return fetch


def test_a_video_arrives_complete(host: VideoHost, wire: LoopbackWire, fetch: Fetch) -> None:
    """It comes from the checked address; the request names the host and no compression."""
    body = bytes(range(256)) * 1000
    host.answers = [video(body)]
    assert body == fetch(f"https://{HOST.upper()}:443/a%20b.mp4?part=1#t=5")
    assert wire.asked == [ADDRESS]
    (head,) = host.heads
    assert head.startswith(f"GET /a%20b.mp4?part=1 HTTP/1.1\r\nHost: {HOST}\r\n")
    assert "\r\nAccept-Encoding: identity\r\n" in head


def test_a_video_in_chunks_arrives(host: VideoHost, fetch: Fetch) -> None:
    """The last chunk marks the end if the length is unknown."""
    host.answers = [reply("200 OK", "Transfer-Encoding: chunked", body=chunked(b"abc", b"de"))]
    assert fetch(max_bytes=5) == b"abcde"


def test_listed_ports_and_addresses_are_used(
    host: VideoHost, wire: LoopbackWire, fetch: Fetch
) -> None:
    """The Host header has the port, and the host may be an IP address."""
    host.answers = [video(b"abc")]
    assert fetch(f"https://{HOST}:8443/", hosts=[f"{HOST}:8443"]) == b"abc"
    assert f"GET / HTTP/1.1\r\nHost: {HOST}:8443\r\n" in host.heads[0]
    assert fetch(f"https://{ADDRESS}/a.mp4", hosts=[ADDRESS]) == b"abc"


def test_proxies_of_the_environment_are_not_used(
    host: VideoHost, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve names itself."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    host.answers = [video(b"abc")]
    assert fetch() == b"abc"


def test_the_file_is_deleted_after_an_exception(
    host: VideoHost, network: Network, folder: Path
) -> None:
    """A download exists during the `with` only."""
    host.answers = [video(b"abc")]
    rules = ReferenceRules(hosts=(HOST,))
    with contextlib.suppress(KeyError), local_file(URI, rules, folder, network=network) as path:
        assert list(folder.iterdir()) == [path]
        raise KeyError


def test_redirects_are_followed(host: VideoHost, wire: LoopbackWire, fetch: Fetch) -> None:
    """They may be relative or go to other allowed hosts, each with a new connection."""
    host.answers = [redirect("b.mp4"), redirect("//other.example/c?d"), video(b"abc")]
    assert fetch(hosts=[HOST, "*.example"]) == b"abc"
    assert [head.split()[1] for head in host.heads] == ["/a.mp4", "/b.mp4", "/c?d"]
    assert "\r\nHost: other.example\r\n" in host.heads[2]
    assert wire.asked == [ADDRESS] * 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_redirect_is_followed(status: int, host: VideoHost, fetch: Fetch) -> None:
    """All five statuses that carry a Location for a GET (RFC 9110, section 15.4)."""
    host.answers = [
        reply(f"{status} Elsewhere", "Location: /b.mp4", "Content-Length: 0"),
        video(b"abc"),
    ]
    assert fetch() == b"abc"


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_other_statuses_are_no_redirects(status: int, host: VideoHost, fetch: Fetch) -> None:
    """Their Location is not followed."""
    host.answers = [
        reply(f"{status} Elsewhere", "Location: /b.mp4", "Content-Length: 0"),
        video(b"abc"),
    ]
    with pytest.raises(DownloadError, match=f"expected status 200, got {status}"):
        fetch()
    assert len(host.heads) == 1


@pytest.mark.parametrize(
    "location",
    [
        f"http://{HOST}/a.mp4",
        "file:///etc/passwd",
        "ftp://videos.example/a.mp4",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://other.example/a.mp4",
        f"https://{HOST}:8443/a.mp4",
        f"https://{HOST}./a.mp4",
        f"https://{HOST}@other.example/",
        f"https://name:word@{HOST}/",
        f"https://other.example\\@{HOST}/",
        "https://videos.example/ä",
        "s3://bucket/a.mp4",
    ],
)
def test_redirects_must_follow_the_rules(host: VideoHost, fetch: Fetch, location: str) -> None:
    """Scheme, host, port and address are checked at each hop; a listed IP must be public."""
    host.answers = [redirect(location)]
    private = ("127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]")
    for hosts in ((HOST,), (HOST, *private)):
        with pytest.raises(ReferenceRefusedError):
            fetch(hosts=hosts)


def test_redirects_are_limited(host: VideoHost, fetch: Fetch) -> None:
    """Five are followed; a redirect without a valid Location is an error."""
    host.answers = [redirect("/a.mp4")]
    with pytest.raises(DownloadError, match="at most 5 redirects"):
        fetch()
    assert len(host.heads) == 6
    for answer in (reply("302 Found", "Content-Length: 0"), redirect("https://[oops/")):
        host.answers = [answer]
        with pytest.raises(DownloadError, match="redirected") as caught:
            fetch()
        assert not caught.value.transient


def test_a_redirect_is_resolved_again(
    host: VideoHost, wire: LoopbackWire, network: Network, fetch: Fetch
) -> None:
    """A host that becomes private between two hops is refused."""
    answers = iter([[ADDRESS], ["127.0.0.1"]])
    turning = Network(lambda *_: next(answers), wire, network.ssl_context)
    host.answers = [redirect("/b.mp4"), video(b"secret")]
    with pytest.raises(ReferenceRefusedError, match="not public"):
        fetch(network=turning)
    assert wire.asked == [ADDRESS]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])  # fmt: skip  # noqa: E501
def test_a_stall_is_noticed(host: VideoHost, fetch: Fetch, start: bytes) -> None:
    """The stall is before the response, within its headers, or within its body."""
    host.answers = [stall(start)]
    with pytest.raises(TransientDownloadError, match="too slow"):
        fetch(stall_s=0.2)


def test_a_stall_before_tls_is_noticed(network: Network, fetch: Fetch) -> None:
    """The server accepts the connection and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wire = LoopbackWire(silent.getsockname()[1])
        with pytest.raises(TransientDownloadError, match="too slow"):
            fetch(network=Network(network.resolve, wire, network.ssl_context), stall_s=0.2)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
    ],
)
def test_a_slow_drip_is_cut_off(host: VideoHost, fetch: Fetch, start: bytes) -> None:
    """Steady single bytes, in the headers or the body, do not extend the total time."""
    host.answers = [host.drip(start)]
    with pytest.raises(TransientDownloadError, match="too slow"):
        fetch(max_download_s=0.2)


def test_a_truncated_video_is_an_error(host: VideoHost, fetch: Fetch) -> None:
    """Length or chunks show the truncation; a response with neither is refused."""
    for answer in (
        reply("200 OK", "Content-Length: 9", body=b"abc"),
        reply("200 OK", "Transfer-Encoding: chunked", body=b"9\r\nabc"),
        reply("200 OK", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"),
    ):
        host.answers = [answer]
        with pytest.raises(TransientDownloadError, match="broke off"):
            fetch()
    host.answers = [reply("200 OK", body=b"abc")]
    with pytest.raises(DownloadError, match="Content-Length or chunks"):
        fetch()


def test_only_the_announced_length_is_read(host: VideoHost, fetch: Fetch) -> None:
    """Bytes after the announced length are not part of the video."""
    host.answers = [reply("200 OK", "Content-Length: 3", body=b"abcdef")]
    assert fetch() == b"abc"


def test_large_videos_are_refused(host: VideoHost, fetch: Fetch) -> None:
    """The announced length is checked first, and then every piece."""
    for answer in (
        stall(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"),
        stall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + bytes(1001)),
        reply("200 OK", "Transfer-Encoding: chunked", body=chunked(*[bytes(1)] * 1001)),
    ):
        host.answers = [answer]
        with pytest.raises(ReferenceRefusedError, match=r"1001 bytes.*1000.*ECM_MAX_VIDEO_BYTES"):
            fetch(max_bytes=1000)


def test_compressed_responses_are_refused(host: VideoHost, fetch: Fetch) -> None:
    """The request allows no compression; `identity` is accepted."""
    for coding in ("gzip", "br", "identity, gzip"):
        host.answers = [reply("200 OK", f"Content-Encoding: {coding}", "Content-Length: 0")]
        with pytest.raises(DownloadError, match=coding):
            fetch()
    host.answers = [reply("200 OK", "Content-Encoding: Identity", "Content-Length: 0")]
    assert fetch() == b""


@pytest.mark.parametrize(
    ("status", "transient"),
    [("204 No Content", False), ("206 Partial Content", False), ("304 Not Modified", False),
     ("403 Forbidden", False), ("404 Not Found", False), ("410 Gone", False),
     ("408 Request Timeout", True), ("429 Too Many Requests", True),
     ("500 Internal Server Error", True), ("503 Service Unavailable", True)],
)  # fmt: skip
def test_other_statuses_are_errors(
    host: VideoHost, fetch: Fetch, status: str, transient: bool
) -> None:
    """The error records whether a retry may help."""
    host.answers = [reply(status, "Content-Length: 0")]
    with pytest.raises(DownloadError, match=status[:3]) as caught:
        fetch()
    assert transient == caught.value.transient


def test_responses_that_are_not_http_are_errors(host: VideoHost, fetch: Fetch) -> None:
    """These are noise, endless headers and a closed connection."""
    endless = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000
    for answer in (b"noise\r\n\r\n", b"", endless):
        host.answers = [lambda stream, answer=answer: stream.sendall(answer)]  # type: ignore[misc]
        with pytest.raises(TransientDownloadError):
            fetch()


def test_certificates_are_verified(host: VideoHost, network: Network, fetch: Fetch) -> None:
    """A wrong name or an unknown authority is a final error."""
    host.answers = [video(b"abc")]
    with pytest.raises(DownloadError, match="certificate") as caught:
        fetch("https://third.example/", hosts=["third.example"])
    assert not caught.value.transient
    with pytest.raises(DownloadError, match="certificate"):
        fetch(network=Network(network.resolve, network.wire))
    assert host.heads == []


def test_a_closed_port_is_transient(network: Network, fetch: Fetch) -> None:
    """The host may come back later."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        wire = LoopbackWire(closed.getsockname()[1])
    with pytest.raises(TransientDownloadError, match="connection failed"):
        fetch(network=Network(network.resolve, wire, network.ssl_context))


def test_a_full_disk_raises_the_system_error(host: VideoHost, fetch: Fetch) -> None:
    """A limit on file sizes simulates a full disk."""
    host.answers = [video(bytes(300_000))]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

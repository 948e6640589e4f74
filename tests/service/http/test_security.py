"""Security headers, origins, and no disclosure of the server's paths."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.settings import Settings

ORIGIN = "https://app.example.org"


@pytest.fixture
def url(serving, repository: Path) -> Iterator[str]:
    """A service with a valid and a damaged model, and with one allowed origin."""
    damaged = repository / "broken" / "1" / "model.onnx"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no network")
    damaged.with_name("model.onnx.sha256").write_text("0" * 64)
    settings = Settings(repository=repository, cors_origins=(ORIGIN,), max_body_bytes=1000)
    with serving(settings) as url:
        yield url


def assert_guarded(answer: httpx.Response) -> None:
    """Asserts that a response has each security header once."""
    is_page = answer.url.path == "/docs"
    for name, value in (
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache" if is_page else "no-store"),
    ):
        assert answer.headers.get_list(name) == [value]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_every_response_has_the_security_headers(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """These are successes, refusals, preflights and internal errors."""

    def fail(_: object) -> None:
        raise RuntimeError("/srv/hidden/place")

    monkeypatch.setattr("service.routes.models._summary", fail)
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answers = [
        httpx.get(f"{url}/health"),
        httpx.get(f"{url}/docs"),
        httpx.get(f"{url}/nothing"),
        httpx.post(f"{url}/localize", content=b"x" * 2000),
        httpx.post(f"{url}/localize", content=b"x"),
        httpx.options(f"{url}/localize", headers=preflight),
        httpx.get(f"{url}/models", headers={"Origin": ORIGIN}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 413, 415, 200, 500]
    for answer in answers:
        assert_guarded(answer)
    assert "hidden" not in answers[-1].text
    assert "RuntimeError" not in answers[-1].text
    assert answers[-1].headers["access-control-allow-origin"] == ORIGIN


def test_only_pages_may_load_scripts_and_only_ours(url: str) -> None:
    """Nothing inline and nothing of another host; responses of the API run no scripts."""
    for path in ("/", "/docs", "/docs/docs.js"):
        policy = httpx.get(f"{url}{path}").headers["content-security-policy"]
        assert "script-src 'self'; style-src 'self'; " in policy
        assert "unsafe" not in policy
        assert "://" not in policy
    assert "script-src" not in httpx.get(f"{url}/health").headers["content-security-policy"]
    assert httpx.get(f"{url}/redoc").status_code == 404


def test_docs_load_their_own_files(url: str) -> None:
    """Relative to the page; no other file is below /docs."""
    page = httpx.get(f"{url}/docs").text
    files = re.findall(r'(?:href|src)="(docs/[^"]+)"', page)
    assert len(files) == 6
    assert all(httpx.get(f"{url}/{file}").status_code == 200 for file in files)
    for file in ("docs.html", "redoc.standalone.js", "..%2froutes.py", "%2e%2e"):
        assert httpx.get(f"{url}/docs/{file}").status_code == 404


def test_other_origins_cannot_read_responses(url: str, serving, repository: Path) -> None:
    """By default, browsers block the pages of all other origins."""
    allowed = "access-control-allow-origin"
    assert httpx.get(f"{url}/health", headers={"Origin": ORIGIN}).headers[allowed] == ORIGIN
    for origin in ("https://evil.example.org", f"{ORIGIN}.evil.org", "null"):
        assert allowed not in httpx.get(f"{url}/health", headers={"Origin": origin}).headers
    with serving(Settings(repository=repository)) as closed:
        assert allowed not in httpx.get(f"{closed}/health", headers={"Origin": ORIGIN}).headers


def test_process_does_not_name_its_server(launch, repository: Path, tmp_path: Path) -> None:
    """There is no Server header."""
    process = launch("serve", repository=repository, data=tmp_path / "data", jobs=0)
    assert "server" not in httpx.get(f"{process.url}/health").headers


ENDLESS = {
    "header": (b"GET /health HTTP/1.1\r\nHost: a\r\nX-A: ", b"x" * 100_000),
    "headers": (b"GET /health HTTP/1.1\r\nHost: a\r\n", b"x: y\r\n" * 20_000),
    "path": (b"GET /", b"x" * 100_000),
    "trailers": (b"POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"1\r\nx\r\n0\r\n", b"x: y\r\n" * 20_000),
}  # fmt: skip


def test_endless_headers_are_cut_off(launch, repository: Path, tmp_path: Path) -> None:
    """This holds for one header, many, a path and trailers; long but finite headers work."""
    process = launch("serve", repository=repository, data=tmp_path / "data", jobs=0)
    for begin, endless in ENDLESS.values():
        with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
            connection.sendall(begin)
            with pytest.raises(ConnectionError):
                connection.sendall(endless * 1000)
    long = {"X-Long": "x" * 30_000}
    with httpx.Client() as client:
        for _ in range(5):
            assert client.get(f"{process.url}/health", headers=long).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/models", None),
        ("GET", "/models/broken", None),
        ("GET", "/models/broken/versions/1", None),
        ("POST", "/v2/repository/index", None),
        ("GET", "/v2/models/broken", None),
        ("POST", "/localize", {"model": "broken", "features": [[0.0] * 8]}),
        ("POST", "/localize", {"model": "../..", "features": [[0.0]]}),
        ("POST", "/localize", {"video": {"uri": "file:///etc/passwd"}}),
        ("GET", "/models/..%2f..%2fetc", None),
        ("GET", "/models/%2e%2e/versions/1", None),
        ("GET", "/models/a%00b/versions/x", None),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", None),
        ("GET", "/jobs/..%2f..%2fetc%2fpasswd", None),
        ("POST", "/localize?model=%0d%0aX-Bad:1", {"features": [[0.0]]}),
    ],
)
def test_no_response_contains_a_path_of_the_server(
    url: str, repository: Path, method: str, path: str, body: object
) -> None:
    """Requests name damaged models, unknown names and paths outside the folders."""
    answer = httpx.request(method, url + path, json=body)
    for secret in (str(repository), str(Path(__file__).parents[3]), "Traceback", ".py", "root:"):
        assert secret not in answer.text
    assert "x-bad" not in answer.headers
    assert answer.status_code != 500


def test_a_page_may_read_the_request_id(url: str) -> None:
    """CORS exposes the header, which an error report needs."""
    answer = httpx.get(f"{url}/health", headers={"Origin": ORIGIN})
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/health/ready", "/models", "/models/small", "/metrics"]
)
def test_head_has_the_headers_of_get_without_its_body(url: str, path: str) -> None:
    """Monitors and load balancers ask so."""
    got, head = httpx.get(url + path), httpx.head(url + path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_head_of_other_paths_is_refused(url: str) -> None:
    """A stream of events, for example, has no end whose headers could be sent."""
    assert httpx.head(f"{url}/jobs/1/events").status_code == 405

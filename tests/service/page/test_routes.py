"""The page and its files over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.http.api_keys import new_key
from service.page import routes
from service.settings import Settings

KEY, KEPT = new_key("page", frozenset({"infer"}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small page in place of the real one, with files that are not to be served."""
    folder = tmp_path / "page"
    (folder / "scripts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "scripts" / "main.js").write_text("export {};")
    (folder / "scripts" / "secret.py").write_text("x = 1")
    (tmp_path / "outside.js").write_text("outside")
    (folder / "link.js").symlink_to(tmp_path / "outside.js")
    monkeypatch.setattr(routes, "_FILES", routes.StaticFiles(directory=folder))
    return folder


@pytest.fixture
def locked(serving, repository: Path, folder: Path) -> Iterator[str]:
    """A service with API keys."""
    with serving(Settings(repository=repository, api_keys=(KEPT.line(),))) as url:
        yield url


def test_the_page_and_its_files_need_no_key(locked: str) -> None:
    """The page itself asks for the key."""
    page, script = httpx.get(f"{locked}/"), httpx.get(f"{locked}/page/scripts/main.js")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>page" in page.text
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert httpx.head(f"{locked}/").status_code == 200


def test_browsers_ask_each_time_and_get_304(locked: str) -> None:
    """Page and service are of one version, and an unchanged file is not sent again."""
    first = httpx.get(f"{locked}/page/scripts/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = httpx.get(first.url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


def test_the_policy_of_the_page_allows_its_own_files_only(locked: str) -> None:
    """Nothing inline, and nothing of another host."""
    for path in ("/", "/page/scripts/main.js"):
        policy = httpx.get(locked + path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert "http" not in policy


@pytest.mark.parametrize(
    "path",
    [
        "scripts/secret.py", "__init__.py", "%2e%2e/outside.js", "link.js",
        "scripts/..%2f..%2foutside.js", "/etc/passwd", "//etc/passwd.js", "scripts", "scripts/",
        "a%00.js", "index.html", "scripts/main.js/", "scripts/main.js%20", "x" * 5000 + ".js",
        "..%5coutside.js", "absent.js", "%ff.js",
    ],
)  # fmt: skip
def test_other_files_are_not_served(locked: str, path: str) -> None:
    """Neither modules of the service, nor files outside, nor what a link leads to."""
    answer = httpx.get(f"{locked}/page/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_page_can_be_turned_off(serving, repository: Path, folder: Path) -> None:
    """All of its addresses are then unknown."""
    with serving(Settings(repository=repository, page=False)) as url:
        assert httpx.get(f"{url}/").status_code == 404
        assert httpx.get(f"{url}/page/scripts/main.js").status_code == 404


def test_capabilities_need_a_key(locked: str) -> None:
    """By them the page learns whether its key is right."""
    address = f"{locked}/page/capabilities"
    assert httpx.get(address).status_code == 401
    told = httpx.get(address, headers={"Authorization": f"Bearer {KEY}"}).json()
    assert told["limits"]["max_segments"] == Settings().max_segments
    assert (told["videos"], told["uris"], told["example"]) == (False, [], None)


def test_the_page_below_a_prefix_ends_with_a_slash(
    serving, repository: Path, folder: Path
) -> None:  # fmt: skip
    """Its relative links would otherwise start beside the prefix."""
    with serving(Settings(repository=repository, root_path="/ecm")) as url:
        moved = httpx.get(f"{url}/ecm")
        assert (moved.status_code, moved.headers["location"]) == (308, "/ecm/")
        assert "<title>page" in httpx.get(f"{url}/ecm/").text
        assert httpx.get(f"{url}/ecm/page/scripts/main.js").status_code == 200

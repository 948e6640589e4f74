"""API keys: required scopes, checks before the body is read, and no key in a log."""

import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ecm_localizer import AsyncClient, Client, LocalizerServiceError
from model.errors import OptionError
from service.app import create_app
from service.configuration import read_configuration
from service.http.access import OPEN
from service.http.api_keys import find_key, new_key, read_keys
from service.models.catalog import Catalog
from service.settings import Settings

ROOT = Path(__file__).parents[3]
INFER, INFER_KEPT = new_key("camera", frozenset({"infer"}))
ADMIN, ADMIN_KEPT = new_key("operator", frozenset({"admin"}))
LINES = (INFER_KEPT.line(), ADMIN_KEPT.line())
LOAD = "/v2/repository/models/small/load"


@pytest.fixture
def locked(serving, repository: Path) -> Iterator[str]:
    """URL of a service with two keys."""
    with serving(Settings(repository=repository, api_keys=LINES)) as url:
        yield url


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def every_call() -> list[tuple[str, str]]:
    """Every method and path of the description."""
    paths = create_app(Settings(), Catalog(())).openapi()["paths"]
    return [(method, path) for path, calls in paths.items() for method in calls]


def test_every_call_needs_a_key_except_open_ones(locked: str) -> None:
    """The calls come from the API description, so that no new call is forgotten."""
    found = {}
    for method, path in every_call():
        answer = httpx.request(method, locked + re.sub(r"{\w+}", "1", path))
        found[path] = answer.status_code
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer ")
            told = answer.json()
            assert ("error" if path.startswith("/v2") else "detail") in told
            assert "API key" in str(told)
    assert {path for path, status in found.items() if status != 401} == OPEN & found.keys()
    assert len(found) > 20


@pytest.mark.parametrize(
    "path", ["/nothing", "/v2/logging", "/health/", "/docs/x", "//health", "/v2/trace/setting"]
)
def test_undescribed_paths_need_a_key(locked: str, path: str) -> None:
    """Without a key, existing and unknown paths cannot be told apart."""
    assert httpx.get(locked + path).status_code == 401
    assert httpx.post(locked + path).status_code == 401


def test_open_calls_have_no_security_in_the_description() -> None:
    """All other calls name their scope in `security`."""
    paths = create_app(Settings(), Catalog(())).openapi()["paths"]
    for path, calls in paths.items():
        scope = "admin" if path.endswith(("/load", "/unload")) else "infer"
        expected = None if path in OPEN else [{"bearer": [scope]}, {"header": [scope]}]
        assert all(call.get("security") == expected for call in calls.values()), path


def test_both_headers_are_accepted(locked: str, features_TD: np.ndarray) -> None:
    """The headers are Authorization, its scheme Bearer in any case, and X-API-Key."""
    for headers in (
        bearer(INFER),
        {"Authorization": f"bEARER  {INFER}"},
        {"X-API-Key": INFER},
        {"X-API-Key": INFER, "Authorization": "Basic YTpi"},
    ):
        assert httpx.get(f"{locked}/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Bearer")],
        [("Authorization", INFER)],
        [("Authorization", f"Basic {INFER}")],
        [("Authorization", f"Bearer {INFER} {INFER}")],
        [("Authorization", f"Bearer {INFER[:-1]}")],
        [("Authorization", f"Bearer {INFER_KEPT.digest.hex()}")],
        [("X-API-Key", "")],
        [("X-API-Key", INFER.upper())],
        [("X-API-Key", b"\xff\xfe\x80")],
        [("X-API-Key", INFER), ("X-API-Key", INFER)],
        [("X-API-Key", INFER), ("Authorization", f"Bearer {INFER}")],
        [("X-API-Key", "x" * 60_000)],
    ],
    ids=range(12),
)
def test_anything_but_one_valid_key_is_refused(locked: str, headers) -> None:
    """Malformed, several, huge and non-ASCII keys, and a hash instead of a key, are refused."""
    answer = httpx.get(f"{locked}/models", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:ecm-localizer:no-valid-key"


def test_no_scope_includes_the_other(locked: str) -> None:
    """A key for `infer` cannot load models, and a key for `admin` cannot use them."""
    assert httpx.post(locked + LOAD, headers=bearer(INFER)).status_code == 403
    assert httpx.post(locked + LOAD, headers=bearer(ADMIN)).status_code == 200
    assert httpx.post(f"{locked}/models/small/load", headers=bearer(INFER)).status_code == 403
    assert httpx.post(f"{locked}/models/small/load", headers=bearer(ADMIN)).status_code == 200
    assert httpx.post(f"{locked}/v2/logging", headers=bearer(INFER)).status_code == 403
    answer = httpx.get(f"{locked}/models", headers=bearer(ADMIN))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"].endswith('error="insufficient_scope"')
    assert answer.json()["type"] == "urn:ecm-localizer:scope-missing"
    assert "'infer'" in answer.json()["detail"]


def test_a_refused_upload_is_not_read(locked: str) -> None:
    """The response comes before the body, and the connection closes."""
    host, port = locked.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /localize HTTP/1.1\r\nHost: a\r\nContent-Type: video/mp4\r\n"
            b"Content-Length: 50000000\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer.lower()


def test_a_key_is_replaced_without_refusals(serving, repository: Path, tmp_path: Path) -> None:
    """Clients that change keys while both are valid are never refused."""
    fresh, fresh_kept = new_key("camera", frozenset({"infer"}))
    file = tmp_path / "keys"
    accepted = []
    for lines in (LINES[:1], (LINES[0], fresh_kept.line()), (fresh_kept.line(),)):
        file.write_text("# cameras\n\n" + "\n".join(lines) + "\n")
        with serving(Settings(repository=repository, api_keys_file=file)) as url:
            answers = [httpx.get(f"{url}/models", headers=bearer(key)) for key in (INFER, fresh)]
            accepted.append([answer.is_success for answer in answers])
    assert accepted == [[True, False], [True, True], [False, True]]


def test_every_key_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison does not stop at a match, so its time is constant."""
    compared = []

    def compare(kept: bytes, given: bytes) -> bool:
        compared.append(kept)
        return kept == given

    monkeypatch.setattr("hmac.compare_digest", compare)
    assert find_key((INFER_KEPT, ADMIN_KEPT), INFER.encode()) == INFER_KEPT
    assert find_key((INFER_KEPT, ADMIN_KEPT), b"") is None
    assert compared == [INFER_KEPT.digest, ADMIN_KEPT.digest] * 2


def test_the_environment_holds_keys_in_two_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are separated by commas, or a JSON list, or absent."""
    for value in (",".join(LINES), json.dumps(LINES), f" {LINES[0]} ,\n{LINES[1]},"):
        monkeypatch.setenv("ECM_API_KEYS", value)
        settings = read_configuration({}).settings
        assert read_keys(settings.api_keys, settings.api_keys_file) == (INFER_KEPT, ADMIN_KEPT)
    monkeypatch.setenv("ECM_API_KEYS", "")
    assert read_keys(read_configuration({}).settings.api_keys) == ()


@pytest.mark.parametrize(
    "line",
    [INFER, f"camera {INFER}", f"camera infer {INFER}", f"{INFER} infer x", f"a,b infer {INFER}",
     f"camera all {INFER_KEPT.digest.hex()}", f"camera infer+ {INFER_KEPT.digest.hex()}"],
    ids=range(7),  # keys are random, and every worker of a run needs the same names
)  # fmt: skip
def test_an_error_about_a_line_does_not_quote_it(line: str, tmp_path: Path) -> None:
    """The line may contain the key itself."""
    file = tmp_path / "keys"
    file.write_text(f"{LINES[0]}\n{line}\n")
    with pytest.raises(OptionError, match=r"line 2: .*NAME SCOPES SHA256HEX") as caught:
        read_keys((), file)
    assert INFER not in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    """Editors on Windows write one before the first key."""
    file = tmp_path / "keys"
    _, record = new_key("ada", frozenset({"infer"}))
    file.write_bytes(b"\xef\xbb\xbf" + record.line().encode())
    assert read_keys((), file) == (record,)


def test_a_file_without_keys_is_an_error(tmp_path: Path) -> None:
    """A missing or empty file, or one with comments only, must not open the service."""
    file = tmp_path / "keys"
    with pytest.raises(OptionError, match="cannot be read"):
        read_keys((), file)
    for content in ("", "# none yet\n"):
        file.write_text(content)
        with pytest.raises(OptionError, match="contains no key"):
            read_keys((), file)


def test_new_key_prints_the_key_and_its_line() -> None:
    """Key and line go to standard output, and the explanations to standard error."""
    command = [sys.executable, "-m", "service", "new-key", "camera-3", "--scopes", "infer", "admin"]
    first = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    second = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    key, line = first.stdout.splitlines()
    assert line == f"camera-3 infer+admin {hashlib.sha256(key.encode()).hexdigest()}"
    assert key != second.stdout.splitlines()[0]
    assert len(key) > 42


async def _models_async(url: str, key: str) -> list[str]:
    client = AsyncClient(url, api_key=key)
    try:
        return [model.name for model in await client.models()]
    finally:
        await client.close()


def test_clients_send_their_key(locked: str) -> None:
    """Both clients send the key; without one, they raise the problem and do not retry."""
    import asyncio

    with Client(locked, api_key=INFER) as client:
        assert [model.name for model in client.models()] == ["small"]
    assert asyncio.run(_models_async(locked, INFER)) == ["small"]
    with Client(locked) as client, pytest.raises(LocalizerServiceError) as caught:
        client.models()
    assert (caught.value.status, caught.value.code) == (401, "no-valid-key")


def test_the_command_sends_its_key(locked: str, features_TD: np.ndarray, tmp_path: Path) -> None:
    """The key comes from a flag or the environment."""
    np.save(tmp_path / "a.npy", features_TD)
    command = [sys.executable, "-m", "service", "localize", str(tmp_path / "a.npy"), "--url",
               locked]  # fmt: skip
    statuses = [
        subprocess.run(
            [*command, *flags], env=os.environ | environment, cwd=ROOT, capture_output=True
        ).returncode
        for flags, environment in (
            ([], {}), (["--api-key", INFER], {}), ([], {"ECM_API_KEY": INFER}),
        )
    ]  # fmt: skip
    assert statuses == [1, 0, 0]


def test_no_key_is_logged_during_a_job(
    launch, motion_repository: Path, film, tmp_path: Path
) -> None:
    """A process at log level debug takes a whole job."""
    process = launch(
        "serve", repository=motion_repository, data=tmp_path / "data", log_level="debug",
        host="0.0.0.0", api_keys=LINES[0],
    )  # fmt: skip
    with Client(process.url, api_key=INFER) as client:
        job = client.submit_video(film(tmp_path / "film.mp4", np.arange(100) / 25))
    events = f"{process.url}/jobs/{job.id}/events"
    assert httpx.get(events).status_code == 401
    with httpx.stream("GET", events, headers=bearer(INFER), timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = [line for line in stream.iter_lines() if line.startswith("event: ")]
    assert told[-1] == "event: done"
    with contextlib.suppress(httpx.TransportError):
        httpx.get(f"{process.url}/models", headers={"X-API-Key": ADMIN})
    assert process.stop() in (0, -15)
    log = process.log.read_text()
    assert "/jobs/" in log
    assert "without API keys" not in log
    for secret in (INFER, ADMIN, INFER_KEPT.digest.hex()):
        assert secret not in log


def test_an_open_service_on_a_public_address_warns(
    launch, repository: Path, tmp_path: Path
) -> None:
    """It warns once at the start, and not on the loopback."""
    for host, warns in (("0.0.0.0", True), ("localhost", False)):
        process = launch("serve", repository=repository, data=tmp_path / "data", jobs=0, host=host)
        process.stop()
        assert ("without API keys" in process.log.read_text()) == warns
        process.log.unlink()


def test_a_key_has_256_bits() -> None:
    """43 characters of base64 after its prefix."""
    key, _ = new_key("camera", frozenset({"infer"}))
    assert re.fullmatch("ecm_[A-Za-z0-9_-]{43}", key)


@pytest.mark.parametrize("name", ["a/b", "a,b", "a:b", "ä"])
def test_names_with_other_characters_are_refused(name: str, tmp_path: Path) -> None:
    """In a setting, in a file and by new-key; the first entry is entry 1."""
    line = f"{name} infer {INFER_KEPT.digest.hex()}"
    with pytest.raises(OptionError, match=r"api_keys, entry 1: a name has"):
        read_keys((line,))
    (tmp_path / "keys").write_text(f"{LINES[0]}\n{line}\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"line 2: a name has"):
        read_keys((), tmp_path / "keys")
    with pytest.raises(OptionError, match=r"a name has"):
        new_key(name, frozenset({"infer"}))

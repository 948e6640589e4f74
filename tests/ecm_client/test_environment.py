"""Environment variables for the network that stop a client."""

import pytest

from ecm_client.errors import InputError
from ecm_localizer import AsyncClient, Client
from ecm_localizer.command.main import main

WRONG = [
    ("ALL_PROXY", "socks://127.0.0.1:1", "http://HOST:PORT"),
    ("all_proxy", "socks5://user:hidden@127.0.0.1:1", "httpx\\[socks\\]"),
    ("HTTPS_PROXY", "http://user:hidden:port", "http://HOST:PORT"),
    ("NO_PROXY", "example.org,fe80::/10", "'example.org,fe80::/10' .*host names and addresses"),
    ("SSL_CERT_FILE", "/absent.pem", "'/absent.pem', which cannot be read .*PEM"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_variable_is_named(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence with the remedy and without a password, by both clients."""
    monkeypatch.setenv(name, value)
    for kind in (Client, AsyncClient):
        with pytest.raises(InputError, match=f"variable {name} is .*{words}.* unset it") as caught:
            kind("http://127.0.0.1:1")
        assert "hidden" not in str(caught.value)


def test_a_file_without_certificates_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its content is read when the client is built."""
    (tmp_path / "a.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "a.pem"))
    with pytest.raises(InputError, match=r"SSL_CERT_FILE is .*a\.pem"):
        Client("https://127.0.0.1:1")


def test_the_command_line_reports_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is sent."""
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1")
    assert main(["localize", "a.npy", "--url", "http://127.0.0.1:1"]) == 1
    output = capsys.readouterr().err
    assert output.startswith("error: the environment variable ALL_PROXY is no proxy")
    assert output.count("\n") == 1

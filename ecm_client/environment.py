"""Network settings in environment variables; names the variable that stops a client."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from ecm_client.errors import InputError

_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES: Final = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


@contextmanager
def network_settings_named() -> Iterator[None]:
    """Turns the errors of a client that cannot be built into one that names the variable.

    httpx reads proxies and certificates from the environment, whatever the URL of the service is.

    Raises:
        InputError: a variable cannot be used. Its value is not quoted, because a proxy's URL may
            have a password.
    """
    try:
        yield
    except OSError as error:  # of the certificates, also ssl.SSLError
        name = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
        if name is None:
            raise
        reason = error.strerror or error
        raise InputError(
            f"the environment variable {name} is {os.environ[name]!r}, which cannot be read "
            f"({reason}); expected a file of certificates in PEM format, so correct or unset it"
        ) from error
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        if name := _unusable_proxy():
            raise InputError(
                f"the environment variable {name} is no proxy that this client can use; expected "
                "http://HOST:PORT or https://HOST:PORT, or socks5://HOST:PORT with pip install "
                "'httpx[socks]', so correct or unset it"
            ) from error
        name = _set_name("NO_PROXY")
        if name is None:
            raise
        raise InputError(
            f"the environment variable {name} is {os.environ[name]!r} ({error}); expected host "
            "names and addresses, separated by commas, so correct or unset it"
        ) from error


def _unusable_proxy() -> str | None:
    """Returns the first variable whose proxy httpx cannot use."""
    for name in filter(None, map(_set_name, _PROXIES)):
        url = os.environ[name]
        try:
            httpx.HTTPTransport(proxy=url if "://" in url else f"http://{url}", verify=False)
        except (ImportError, ValueError, httpx.InvalidURL):
            return name
    return None


def _set_name(name: str) -> str | None:
    """Returns the spelling of a variable that is set; urllib prefers lower case."""
    return next((spelling for spelling in (name.lower(), name) if os.environ.get(spelling)), None)

"""API keys: who may ask what. Only their hashes are kept.

A key is 256 random bits, which nobody guesses, so a fast hash is right: slow ones are for
passwords, which people choose.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from model.errors import OptionError
from service.settings import Settings

Scope: TypeAlias = Literal["infer", "admin"]
"""What a key allows: to use the models, or to change the service."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_FORM = "expected NAME SCOPES SHA256HEX, as `python -m service new-key` prints it"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key."""

    name: str
    """Whose it is, for the operator."""
    scopes: frozenset[str]
    """What it allows."""
    digest: bytes
    """Its SHA-256."""

    def line(self) -> str:
        """Returns it as the settings take it."""
        scopes = "+".join(scope for scope in SCOPES if scope in self.scopes)
        return f"{self.name} {scopes} {self.digest.hex()}"


def new_key(name: str, scopes: frozenset[str]) -> tuple[str, ApiKey]:
    """Returns a fresh key, and what may be kept of it.

    Raises:
        OptionError: the name or a scope cannot be used.
    """
    key = f"ecm_{secrets.token_urlsafe(_KEY_BYTES)}"
    kept = ApiKey(name, scopes, _digest(key.encode()))
    return key, _parse(kept.line(), "the new key")


def read_keys(settings: Settings) -> tuple[ApiKey, ...]:
    """Returns all keys that the settings name; none where the service is open to all.

    Raises:
        OptionError: a key is not in the form, or the file cannot be read or holds none.
    """
    given = [_parse(line, f"api_keys, entry {n}") for n, line in enumerate(settings.api_keys, 1)]
    path = settings.api_keys_file
    if path is None:
        return tuple(given)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise OptionError(f"api_keys_file {path} cannot be read: {type(error).__name__}") from None
    kept = [
        _parse(line, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not kept:
        raise OptionError(f"api_keys_file {path} holds no key, which would lock everybody out")
    return (*given, *kept)


def find_key(keys: tuple[ApiKey, ...], presented: bytes) -> ApiKey | None:
    """Returns the key that was presented; takes as long whichever it is, or none."""
    digest = _digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _parse(line: str, place: str) -> ApiKey:
    """Reads NAME SCOPES SHA256HEX; a complaint repeats nothing, as it could be a key."""
    words = line.split()
    if len(words) != 3:
        raise OptionError(f"{place}: {_FORM}; got {len(words)} words")
    name, joined, digest = words
    scopes = frozenset(joined.split("+"))
    if not _NAME.fullmatch(name):
        raise OptionError(f"{place}: a name has letters, digits, '.', '-' and '_'; {_FORM}")
    if not scopes <= set(SCOPES):
        raise OptionError(f"{place}: scopes are {' and '.join(SCOPES)}, joined by '+'; {_FORM}")
    if not _DIGEST.fullmatch(digest):
        raise OptionError(f"{place}: a SHA-256 has 64 hexadecimal digits; {_FORM}")
    return ApiKey(name, scopes, bytes.fromhex(digest))

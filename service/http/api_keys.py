"""API keys and their scopes; the service stores only their hashes.

A key has 256 random bits and cannot be guessed, so a fast hash suffices. Slow hashes protect
passwords, which people choose.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from model.errors import OptionError

Scope: TypeAlias = Literal["infer", "admin"]
"""Right of a key: to use the models (`infer`), or to change the service (`admin`)."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_FORM = "expected NAME SCOPES SHA256HEX, as `ecm new-key` prints it"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Stored form of a key."""

    name: str
    """Name of the key's owner, for the operator."""
    scopes: frozenset[str]
    """Scopes of the key."""
    digest: bytes
    """SHA-256 of the key."""

    def line(self) -> str:
        """Returns the key in the form that the settings take: NAME SCOPES SHA256HEX."""
        scopes = "+".join(scope for scope in SCOPES if scope in self.scopes)
        return f"{self.name} {scopes} {self.digest.hex()}"


def new_key(name: str, scopes: frozenset[str]) -> tuple[str, ApiKey]:
    """Returns a new random key and its stored form.

    Raises:
        OptionError: the name or a scope is not valid.
    """
    key = f"ecm_{secrets.token_urlsafe(_KEY_BYTES)}"
    stored = ApiKey(name, scopes, _digest(key.encode()))
    return key, _parse(stored.line(), "the new key")


def read_keys(lines: Sequence[str], file: Path | None = None) -> tuple[ApiKey, ...]:
    """Returns all keys of the settings; without any, the service is open to everyone.

    Args:
        lines: the setting `api_keys`.
        file: the setting `api_keys_file`; blank lines and lines that begin with # are skipped.

    Raises:
        OptionError: a line is malformed, or the file cannot be read or contains no key.
    """
    keys = [_parse(line, f"api_keys, entry {number}") for number, line in enumerate(lines, 1)]
    return (*keys, *([] if file is None else _read_file(file)))


def _read_file(path: Path) -> list[ApiKey]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise OptionError(f"api_keys_file {path} cannot be read: {type(error).__name__}") from None
    keys = [
        _parse(line, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not keys:
        raise OptionError(
            f"api_keys_file {path} contains no key, so no request would be allowed; add a line "
            "from `ecm new-key`, or unset api_keys_file"
        )
    return keys


def find_key(keys: tuple[ApiKey, ...], presented: bytes) -> ApiKey | None:
    """Returns the stored key that matches a presented one, or None; takes constant time."""
    digest = _digest(presented)
    match = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            match = key
    return match


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _parse(line: str, place: str) -> ApiKey:
    """Parses NAME SCOPES SHA256HEX; errors never quote the line, because it may be a key."""
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

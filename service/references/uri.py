"""Strict parsing of URIs (RFC 3986), used both to apply the rules and to make the requests."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from service.references.errors import ReferenceRefusedError

MAX_CHARACTERS = 4096
_SHOWN_CHARACTERS = 200
_NOT_IN_A_URI = re.compile(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]|%(?![0-9A-Fa-f]{2})")
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?")
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True, slots=True)
class Uri:
    """The parts of a URI; a fragment is dropped."""

    scheme: str
    """Scheme in lower case."""
    authority: str | None
    """Text between `//` and the path; None without `//`."""
    path: str
    """Percent-encoded path."""
    query: str | None
    """Percent-encoded query; None without `?`."""

    def __str__(self) -> str:
        """Returns a text for messages and logs, without user, password and signed query."""
        authority = "" if self.authority is None else f"//{self.authority.rpartition('@')[2]}"
        text = f"{self.scheme}:{authority}{self.path}"
        return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."

    def segments(self) -> tuple[str, ...]:
        """Returns the decoded names between the slashes of an absolute path.

        Raises:
            ReferenceRefusedError: a name is empty, `.` or `..`, is not UTF-8, or contains a
                slash, a backslash or a control character.
        """
        if not self.path.startswith("/"):
            raise ReferenceRefusedError(f"expected an absolute path, got {str(self)!r}")
        return tuple(self._decoded(name) for name in self.path[1:].split("/"))

    def _decoded(self, encoded: str) -> str:
        try:
            name = unquote(encoded, errors="strict")
        except UnicodeDecodeError as error:
            raise ReferenceRefusedError(f"expected percent-encoded UTF-8 in '{self}'") from error
        if name in ("", ".", "..") or _NOT_IN_A_NAME.search(name):
            raise ReferenceRefusedError(
                f"expected plain names between single slashes, got {encoded!r} in '{self}'"
            )
        return name


def parse_uri(text: str) -> Uri:
    """Returns the parts of a URI.

    Raises:
        ReferenceRefusedError: the text is empty, too long, has no scheme, or contains a character
            that must be percent-encoded. Hosts outside ASCII need their `xn--` form.
    """
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise ReferenceRefusedError(
            f"expected a URI of 1 to {MAX_CHARACTERS} characters, got {len(text)}"
        )
    if refused := _NOT_IN_A_URI.search(text):
        raise ReferenceRefusedError(
            "expected a URI of ASCII letters, digits and punctuation, everything else "
            f"percent-encoded; got {refused[0]!a} at character {refused.start() + 1}"
        )
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ReferenceRefusedError("expected a URI that begins with a scheme such as 'https:'")
    scheme, authority, path, query = parts.groups()
    return Uri(scheme.lower(), authority, path, query)

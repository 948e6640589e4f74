"""Parts of URIs, and the texts that are none; test_rules.py has the rules for them."""

import pytest

from service.references.errors import ReferenceRefusedError
from service.references.uri import MAX_CHARACTERS, Uri, parse_uri


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("HTTPS://User@Host:8/A/b?x=1&y#z?", Uri("https", "User@Host:8", "/A/b", "x=1&y")),
        ("file:///a%20b", Uri("file", "", "/a%20b", None)),
        ("file:/a", Uri("file", None, "/a", None)),
        ("s3://bucket", Uri("s3", "bucket", "", None)),
        ("a+b-c.1:", Uri("a+b-c.1", None, "", None)),
        ("x:/a?", Uri("x", None, "/a", "")),
        ("x:/a#b#c", Uri("x", None, "/a", None)),
        ("x:a:b", Uri("x", None, "a:b", None)),
    ],
)
def test_parts_of_a_uri(text: str, parts: Uri) -> None:
    """An absent part differs from an empty one; the scheme is in lower case."""
    assert parse_uri(text) == parts


def test_the_longest_uri_is_accepted() -> None:
    """One more character is refused, and so is no character."""
    longest = "x:".ljust(MAX_CHARACTERS, "a")
    assert parse_uri(longest).path == longest[2:]
    for text, length in ((longest + "a", MAX_CHARACTERS + 1), ("", 0)):
        with pytest.raises(ReferenceRefusedError, match=f"got {length}$"):
            parse_uri(text)


@pytest.mark.parametrize(
    ("text", "place"), [("\nx:", 1), ("x:/ä", 4), ("x:/%2", 4), ("x:/%41%", 7), ("x: ", 3)]
)
def test_a_character_to_encode_is_named_with_its_place(text: str, place: int) -> None:
    """Counted from 1."""
    with pytest.raises(ReferenceRefusedError, match=f"at character {place}$"):
        parse_uri(text)


def test_a_text_without_a_scheme_is_refused() -> None:
    """A scheme begins with a letter."""
    for text in ("a", "/a", "1x:/a", ":/a"):
        with pytest.raises(ReferenceRefusedError, match="begins with a scheme"):
            parse_uri(text)


def test_the_text_for_messages_is_short_and_has_no_secret() -> None:
    """User, password and query are left out, and at most 200 characters are shown."""
    assert str(parse_uri("https://u:p@host:8/a?s=1#f")) == "https://host:8/a"
    assert str(parse_uri("https://u@v@host/a")) == "https://host/a"
    assert str(parse_uri("file:/a")) == "file:/a"
    assert str(parse_uri("file:///a")) == "file:///a"
    fits = "x:/".ljust(200, "a")
    assert str(parse_uri(fits)) == fits
    assert str(parse_uri(fits + "a")) == f"{fits}..."


def test_names_of_a_path_are_decoded() -> None:
    """Each name between slashes by itself."""
    assert parse_uri("x:/a/b%20c/%C3%A4%23").segments() == ("a", "b c", "ä#")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a", "expected an absolute path, got 'x:a'"),
        ("", "expected an absolute path"),
        ("/a/%FF", "expected percent-encoded UTF-8 in 'x:/a/%FF'"),
        *((f"/a/{name}", "expected plain names") for name in (
            "", ".", "..", "%2E", "%2E%2E", "b%2Fc", "b%5Cc", "b%00", "%1F", "%7F",
        )),
    ],
)  # fmt: skip
def test_names_that_are_not_plain_are_refused(path: str, problem: str) -> None:
    """Dots, separators and control characters, in any spelling."""
    with pytest.raises(ReferenceRefusedError, match=problem):
        parse_uri(f"x:{path}").segments()

"""Content codings of request bodies: gzip and deflate, unpacked within a limit (RFC 9110, 8.4)."""

import zlib
from typing import Final

from service.errors import BodyTooLargeError, MalformedBodyError, UnsupportedCodingError
from service.http.body import Body

WINDOW_BITS: Final = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""Parameter of zlib for each coding."""


def content_coding(header: str) -> str:
    """Returns the coding in the header Content-Encoding; empty for a body that is sent as it is.

    Raises:
        UnsupportedCodingError: the coding is not known, or there are several.
    """
    coding = header.strip().lower()
    if coding in ("", "identity"):
        return ""
    coding = coding.removeprefix("x-")
    if coding not in WINDOW_BITS:
        raise UnsupportedCodingError(
            f"expected Content-Encoding {' or '.join(WINDOW_BITS)}, got {header[:100]!r}"
        )
    return coding


def decompress(content: Body, coding: str, *, max_bytes: int) -> Body:
    """Returns a decompressed body.

    Args:
        content: the body as it was sent.
        coding: what `content_coding` returned.
        max_bytes: limit for the result; decompression stops there.

    Raises:
        MalformedBodyError: the body does not match its coding.
        BodyTooLargeError: the result is longer than `max_bytes`.
    """
    if not coding:
        return content
    stream = zlib.decompressobj(WINDOW_BITS[coding])
    try:
        whole = stream.decompress(content, max_bytes + 1)
    except zlib.error as error:
        raise MalformedBodyError(f"the body is not in the encoding {coding}: {error}") from None
    if len(whole) > max_bytes:
        raise BodyTooLargeError(
            f"the decompressed body has more than {max_bytes} bytes, which is the limit"
        )
    if not stream.eof or stream.unused_data:
        raise MalformedBodyError(f"the body is not one complete stream in the encoding {coding}")
    return whole

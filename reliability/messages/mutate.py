"""Mutations of valid requests; equal random numbers give equal bytes."""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeAlias

from reliability.messages.odd_values import (
    HEADERS,
    JSON_VALUES,
    NO_HTTP,
    NPY_DTYPES,
    NPY_SHAPES,
    ODD_NUMBERS,
    ODD_TEXTS,
    QUERIES,
)
from reliability.messages.valid_requests import BOUNDARY, HEADER_LENGTH
from reliability.messages.wire import Request

Change: TypeAlias = Callable[[Random, Request], Request]
"""Returns a request with one defect."""
BytesChange: TypeAlias = Callable[[Random, bytes], bytes]

_CHUNK_BYTES = 64


def mutated(random: Random, valid: Mapping[str, Request]) -> tuple[str, bytes]:
    """Mutates one of the valid requests; returns the name of the mutation and the bytes."""
    name = random.choice(_NAMES)
    if name == "no HTTP":
        return name, _no_http(random)
    base = random.choice(list(valid.values()))
    if name in _BYTES:
        return name, _BYTES[name](random, base.encode())
    if name == "spliced":
        return name, _spliced(random, base.encode(), random.choice(list(valid.values())).encode())
    changed = _REQUEST[name](random, _base_of(name, random, valid) or base)
    if random.random() < 0.2:  # two defects at once
        changed = _flipped_body(random, changed)
    return name, changed.encode()


def _base_of(name: str, random: Random, valid: Mapping[str, Request]) -> Request | None:
    """Returns a request in the form that a mutation needs; None if any form will do."""
    form = {"JSON value": b"json", ".npy header": b"npy", "form": b"multipart"}.get(name, b"-")
    fitting = [
        r
        for r in valid.values()
        if form in (r.header(b"Content-Type") or b"")
        or (name == "compression" and r.header(b"Content-Encoding"))
    ]
    return random.choice(fitting) if fitting else None


def _flipped(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _doubled(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    chunk = data[start : start + random.randrange(_CHUNK_BYTES)]
    return data[:start] + chunk * random.choice((2, 3, 50)) + data[start + len(chunk) :]


def _left_out(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + data[start + random.randrange(1, _CHUNK_BYTES) :]


def _inserted(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + random.randbytes(random.randrange(1, _CHUNK_BYTES)) + data[start:]


def _spliced(random: Random, one: bytes, other: bytes) -> bytes:
    return one[: random.randrange(len(one) + 1)] + other[random.randrange(len(other) + 1) :]


def _no_http(random: Random) -> bytes:
    if random.random() < 0.3:
        return random.randbytes(random.randrange(1, 600))
    data = random.choice(NO_HTTP)
    return data if random.random() < 0.5 else _flipped(random, data)


def _in_body(change: BytesChange) -> Change:
    """Applies a change of bytes to a body; Content-Length stays correct."""
    return lambda random, request: request.with_body(change(random, request.body))


_flipped_body = _in_body(_flipped)


def _length_lie(random: Random, request: Request) -> Request:
    name = random.choice((b"Content-Length", b"X-Shape", HEADER_LENGTH))
    if name == b"X-Shape":
        number = random.choice(ODD_NUMBERS) + b"," + random.choice(ODD_NUMBERS)
    elif random.random() < 0.5:
        number = b"%d" % (len(request.body) + random.randrange(-20, 20))
    else:
        number = random.choice(ODD_NUMBERS)
    return request.with_header(name, number)


def _odd_header(random: Random, request: Request) -> Request:
    name = random.choice(HEADERS)
    value = random.choice(ODD_TEXTS + ODD_NUMBERS)
    return request.with_header(name, random.choice((value, value, _line(random))))


def _line(random: Random) -> bytes:
    return re.sub(rb"[\r\n\x00]", b"", random.randbytes(random.randrange(40)))


def _more_headers(random: Random, request: Request) -> Request:
    again = random.choice(request.headers)
    many = ((b"X-Many", b"y" * random.randrange(20)),) * random.choice((1, 100, 2000))
    long = ((b"X-Long", b"z" * random.choice((10, 9_000, 70_000))),)
    more = random.choice(((again,), ((again[0], random.choice(ODD_TEXTS)),), many, long))
    return Request(request.method, request.path, (*request.headers, *more), request.body)


def _less_headers(random: Random, request: Request) -> Request:
    return request.with_header(random.choice(request.headers)[0], None)


def _odd_target(random: Random, request: Request) -> Request:
    method = random.choice(
        (request.method,) * 4 + (b"GET", b"PUT", b"DELETE", b"OPTIONS", b"PATCH")
    )
    path = random.choice(
        (
            request.path + b"?" + random.choice(QUERIES),
            request.path + b"?" + random.choice(QUERIES) + b"&" + random.choice(QUERIES),
            request.path + b"/",
            request.path.replace(b"/", b"//"),
            request.path + b"/%2e%2e/" + random.choice((b"%00", b"%ff", b"..", b"%2f")),
            request.path[: random.randrange(1, len(request.path) + 1)],
            b"/models/" + random.choice(ODD_NUMBERS).strip() + b"/versions/1",
            b"/v2/models/small/versions/" + random.choice(ODD_NUMBERS).strip() + b"/infer",
            b"/" + b"a" * 5000,
        )
    )
    return Request(method, path, request.headers, request.body)


def _chunked(random: Random, request: Request) -> Request:
    """Sends the body in chunks, some with a wrong length."""
    parts, rest = [], request.body
    while rest:
        part = rest[: random.randrange(1, 200)]
        length = len(part) if random.random() < 0.97 else random.randrange(300)
        parts.append(b"%x\r\n%s\r\n" % (length, part))
        rest = rest[len(part) :]
    body = b"".join(parts) + random.choice((b"0\r\n\r\n",) * 5 + (b"", b"0\r\nX-A: b\r\n\r\n"))
    changed = request.with_header(b"Content-Length", None).with_header(
        b"Transfer-Encoding", b"chunked"
    )
    return Request(changed.method, changed.path, changed.headers, body)


def _json_value(random: Random, request: Request) -> Request:
    """Replaces one value of the JSON document, or the whole document, by an unusual value."""
    try:
        document = json.loads(request.body)
    except ValueError:
        return _flipped_body(random, request)
    mark, value = "\x01mark\x01", random.choice(JSON_VALUES)
    marked = json.dumps(_marked(random, document, mark)).encode()
    return request.with_body(marked.replace(json.dumps(mark).encode(), value))


def _marked(random: Random, node: Any, mark: str) -> Any:
    if not isinstance(node, list | dict) or not node or random.random() < 0.15:
        return mark
    if isinstance(node, list):
        place = random.randrange(len(node))
        return [_marked(random, v, mark) if i == place else v for i, v in enumerate(node)]
    key = random.choice([*node, "no such field"])
    return node | {key: _marked(random, node.get(key), mark)}


def _npy_header(random: Random, request: Request) -> Request:
    """Replaces the header of an .npy file; its length may be wrong."""
    values = random.choice((request.body[128:],) * 3 + (b"",))
    dtype, shape = random.choice(NPY_DTYPES), random.choice(NPY_SHAPES)
    order = random.choice(("True", "False", "1", "None"))
    text = f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    if random.random() < 0.3:
        text = _flipped(random, text)
    version = random.choice((b"\x01\x00",) * 4 + (b"\x02\x00", b"\x03\x00", b"\xff\xff"))
    stated = len(text) + 1 + random.choice((0,) * 6 + (-5, 5, 60_000))
    most = 65535 if version == b"\x01\x00" else 2**32 - 1
    length = min(max(stated, 0), most).to_bytes(2 if most == 65535 else 4, "little")
    return request.with_body(b"\x93NUMPY" + version + length + text + b"\n" + values)


def _compression(random: Random, request: Request) -> Request:
    """Sends data that decompresses to too much, to nothing, or not at all."""
    encoding = request.header(b"Content-Encoding") or b"gzip"
    bits = zlib.MAX_WBITS | (16 if encoding == b"gzip" else 0)
    bomb = zlib.compress(bytes(random.choice((0, 1, 2_000_000))), 9, bits)
    body = random.choice(
        (bomb, bomb + bomb, bomb[:-4], request.body + b"x", request.body[:-3], b"")
    )
    encodings = (encoding,) * 4 + (b"GZIP", b"deflate", b"br", b"gzip, gzip", b"\xff")
    changed = request.with_body(body)
    return changed.with_header(b"Content-Encoding", random.choice(encodings))


def _form(random: Random, request: Request) -> Request:
    """Breaks the boundaries of a form, the headers of its parts, or their number."""
    part = b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    body = request.body
    end = b"--" + BOUNDARY + b"--\r\n"
    return request.with_body(
        random.choice(
            (
                body.removesuffix(end),
                body + body,
                part * random.choice((1, 2, 100, 1000)) + body,
                body.replace(
                    b"form-data;", random.choice((b"", b"attachment;", b"form-data" * 99))
                ),
                body.replace(
                    b"name=file", random.choice((b"name=", b"name=min_score", b"name*=x"))
                ),
                body.replace(b"\r\n\r\n", b"\r\n" + b"X-A: b\r\n" * random.choice((1, 500)), 1),
                body.replace(b"x.npy", random.choice((b"", b"\xff.npy", b"../a.npy", b"x" * 9000))),
                part.replace(b"name=a", b"name=" + random.choice((b"min_score", b"version")))
                + body,
                end,
                body.replace(BOUNDARY, BOUNDARY[:-1]),
            )
        )
    )


_BYTES: dict[str, BytesChange] = {
    "bits flipped": _flipped,
    "cut short": _cut,
    "bytes repeated": _doubled,
    "bytes left out": _left_out,
    "bytes inserted": _inserted,
}
_REQUEST: dict[str, Change] = {
    "body: bits flipped": _flipped_body,
    "body: cut short": _in_body(_cut),
    "body: bytes repeated": _in_body(_doubled),
    "body: bytes inserted": _in_body(_inserted),
    "length that lies": _length_lie,
    "odd header": _odd_header,
    "more headers": _more_headers,
    "header left out": _less_headers,
    "odd path or query": _odd_target,
    "chunked": _chunked,
    "JSON value": _json_value,
    ".npy header": _npy_header,
    "compression": _compression,
    "form": _form,
}
_NAMES = (*_BYTES, *_REQUEST, "spliced", "no HTTP")

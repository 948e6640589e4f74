"""Unusual values for every place in a request."""

from reliability.messages.valid_requests import HEADER_LENGTH

ODD_NUMBERS = (
    b"-1", b"0", b"1", b"7", b"+8", b"0x10", b"1e3", b"1.5", b" 12", b"12 ", b"1_0", b"nan", b"",
    b"4294967296", b"9223372036854775807", b"18446744073709551615",
    b"9" * 30, b"0" * 5000 + b"12", b"9" * 4200, b"9" * 5000,
    b"\xd9\xa1\xd9\xa2", b"12, 12", b"12;q=1",
)  # fmt: skip
ODD_TEXTS = (
    b"", b"\xff\xfe", b"\xc3\x28", b"a" * 3000, b"%00", b"../../etc/passwd", b"'", b'"', b"*/*",
    b"${jndi:ldap://a}", b"\xe2\x80\xae", b"null", b"\tx", b";;;=", b"text/html", b"video/mp4",
    b"multipart/form-data", b"multipart/form-data; boundary=", b"application/json",
    b"application/octet-stream", b"application/x-npy", b"gzip", b"deflate", b"gzip, deflate", b"br",
    b"identity", b"chunked", b"float16", b"float64", b"40,8", b"8", b"1,2,3", b"-20,-8", b"0,8",
    b"20,0",
)  # fmt: skip
HEADERS = (
    b"Content-Type", b"Content-Encoding", b"Content-Length", b"Transfer-Encoding", b"TE",
    b"Accept-Encoding", b"X-Shape", b"X-Dtype", HEADER_LENGTH, b"Idempotency-Key", b"X-Request-ID",
    b"traceparent", b"Expect", b"Connection", b"Upgrade", b"Host", b"Origin", b"Cookie", b"Range",
    b"If-Match", b"Authorization", b"X-API-Key", b"X-Forwarded-For", b"Trailer",
)  # fmt: skip
QUERIES = (
    b"version=99999999999999999999", b"version=1.5", b"model=", b"model=%ff", b"min_score=nan",
    b"min_score=1e400", b"class_threshold=-0", b"nms_iou=0", b"nms_iou=1", b"nms_iou=1e-320",
    b"max_segments=-1", b"max_segments=99999999999999999999", b"duration_s=1e308", b"snippet_s=0",
    b"duration_s=5e-324", b"snippet_s=1e308", b"include=cas", b"include=cas&include=cas", b"a=b",
    b"format=activitynet&video_id=%00", b"%", b"&&&=", b"duration_s=1&snippet_s=1",
    b"x=" + b"y" * 4000,
)  # fmt: skip
JSON_VALUES = (
    b"null", b"true", b"-1", b"0", b"1e999", b"-1e999", b"NaN", b"Infinity", b"1e-999", b"01",
    b"9" * 400, b"1." + b"0" * 400, b'""', b'"\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b"1,", b"'a'",
    b'"' + b"a" * 5000 + b'"', b"[]", b"{}", b"[[]]", b"[[[[[[[[0]]]]]]]]", b"[null]", b'["1"]',
    b"[" * 3000, b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500, b"[1,2,3]", b"[0,8]",
    b"[-1,-1,-1]", b"[4294967296,4294967296]", b'{"uri": "file:///"}',
)  # fmt: skip
NPY_DTYPES: tuple[object, ...] = (
    "|O", "<U99999999", "|S1", "<f2", ">f4", "<f8", "<f16", "<c8", "<i4", "|b1", "|V8", "<M8[s]",
    "<f4,<f4", "", "x", "<f0", "<U0", ("<f4", (2,)), [("a", "<f4", (2, 2))], 4,
    [("a", "<f4"), ("a", "<f4")], [("", "|V0")],
)  # fmt: skip
NPY_SHAPES = (
    "(20, 8)", "(20, 8)", "(20, -8)", "(-20, -8)", "(0, 8)", "(20,)", "()", "(160,)", "(20, 8, 1)",
    "(4294967296, 4294967296)", "(99999999999999999999999, 0)", "(20.0, 8)", "20", "(True, 160)",
    "('20', 8)", "(" * 90 + ")" * 90, "(20, 8" + ", 1" * 200 + ")", "__import__('os')",
    "(1 << 99, 1)", f"({'9' * 4000}, {'9' * 4000})", f"(0x{'f' * 7000}, 0)",
)  # fmt: skip
_CHUNKED = b"POST /localize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
NO_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"EHLO example.org\r\n", b"SSH-2.0-OpenSSH_9.6\r\n",
    b"GET /health\r\n\r\n", b"GET /health HTTP/9.9\r\n\r\n", b"GET  /health  HTTP/1.1\r\n\r\n",
    b"\r\n\r\n\r\n\r\n", b"\x00" * 512, b"\xff" * 512, b"HTTP/1.1 200 OK\r\n\r\n", b"{}\n",
    b"CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://169.254.169.254/ HTTP/1.1\r\nHost: a\r\n\r\n", b"*1\r\n$4\r\nPING\r\n",
    b"GET /health HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", b"GET /health HTTP/1.1\nHost: a\n\n",
    b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n", b"GET /health HTTP/1.1\r\n: a\r\n\r\n",
    _CHUNKED + b"\r\n\r\nffffffffffffffff\r\n", _CHUNKED + b"\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    _CHUNKED + b", gzip\r\n\r\n0\r\n\r\n", _CHUNKED + b"\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
)  # fmt: skip
"""Bytes of other protocols, which reach every public port, and near misses of HTTP."""

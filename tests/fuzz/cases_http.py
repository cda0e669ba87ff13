"""Nasty bytes: what is no HTTP, what is on the edge of it, what comes slowly or all at once."""

from collections.abc import Iterator

from building import CSV, FILE, NAME, NDJSON, STREAM, case
from service import KEY
from wire import Exchange
from writing import request

_BODY = b'{"name": "Jordan"}'
_COMMON = f" HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\n".encode()
_HEAD = b"POST /get_prediction" + _COMMON + b"content-type: application/json\r\n"
_GET = b"GET /livez" + _COMMON


def broken_http() -> Iterator[Exchange]:
    refused = {
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + NAME.encode(),
        "a name as method": b"%s / HTTP/1.1\r\n\r\n" % NAME.encode(),
        "a method in small letters": _GET.replace(b"GET", b"get") + b"\r\n",
        "HTTP/9.9": _GET.replace(b"1.1", b"9.9") + b"\r\n",
        "HTTP/2's greeting": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a proxy's first line": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + _GET + b"\r\n",
        "a space in the target": _GET.replace(b"/livez", b"/livez %s" % NAME.encode()) + b"\r\n",
        "NUL in the target": _GET.replace(b"/livez", b"/livez\x00") + b"\r\n",
        "a header without a colon": _GET + NAME.encode() + b"\r\n\r\n",
        "a space before the colon": _GET + b"x-a : 1\r\n\r\n",
        "NUL in a header": _GET + b"x-a: \x00%s\r\n\r\n" % NAME.encode(),
        "a bare CR in a header": _GET + b"x-a: 1\rx-b: 2\r\n\r\n",
        "a folded header": _GET + b"x-a: 1\r\n %s\r\n\r\n" % NAME.encode(),
        "a letter of another alphabet in a header's name": _GET + "x-é: 1\r\n\r\n".encode(),
        "a negative length": _HEAD + b"content-length: -1\r\n\r\n" + _BODY,
        "a length in hexadecimal": _HEAD + b"content-length: 0x12\r\n\r\n" + _BODY,
        "a length with a sign": _HEAD + b"content-length: +18\r\n\r\n" + _BODY,
        "two lengths": _HEAD + b"content-length: 18\r\ncontent-length: 1\r\n\r\n" + _BODY,
        "a list of lengths": _HEAD + b"content-length: 18, 18\r\n\r\n" + _BODY,
        "a length of 2^70": _HEAD + b"content-length: 1180591620717411303424\r\n\r\n" + _BODY,
        "an empty length": _HEAD + b"content-length: \r\n\r\n" + _BODY,
        "a length and chunks": _HEAD + b"content-length: 18\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked twice over": _HEAD + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "a coding that is none": _HEAD + b"transfer-encoding: %s\r\n\r\n0\r\n\r\n" % NAME.encode(),
        "a chunk without a size": _HEAD + b"transfer-encoding: chunked\r\n\r\n\r\n\r\n",
        "a chunk of a name's size": _HEAD + b"transfer-encoding: chunked\r\n\r\n%s\r\n\r\n" % NAME.encode(),
        "a chunk of 2^70 bytes": _HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 18 + b"\r\na\r\n",
        "a chunk of negative size": _HEAD + b"transfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
        "a chunk longer than its size": _HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n%s\r\n0\r\n\r\n" % _BODY,
        "a chunked stream that breaks": _chunked_stream(b'3\r\n"a"\r\nzz\r\n'),
    }
    for what, data in refused.items():
        yield Exchange(f"HTTP: {what}", data, due=None, statuses=frozenset({400}))
    too_long = {
        "20,000 bytes of target": _GET.replace(b"/livez", b"/" + b"a" * 20_000) + b"\r\n",
        "a header of 20,000 bytes": _GET + b"x-a: " + b"a" * 20_000 + b"\r\n\r\n",
        "a header's name of 20,000 bytes": _GET + b"a" * 20_000 + b": 1\r\n\r\n",
        "5,000 headers": _GET + b"".join(b"x-%d: 1\r\n" % i for i in range(5000)) + b"\r\n",
        "a header of 1 MB": _GET + b"x-a: " + b"a" * 1_000_000 + b"\r\n\r\n",
        "a trailer of 20,000 bytes": _HEAD
        + b"transfer-encoding: chunked\r\n\r\n0\r\nx-a: "
        + b"a" * 20_000
        + b"\r\n\r\n",
    }
    for what, data in too_long.items():
        yield Exchange(f"HTTP: {what}", data, due=None, statuses=frozenset({431}))
    too_slow = {
        "half a first line": b"GET /liv",
        "half a head": _GET,
        "half a body": _HEAD + b"content-length: 18\r\n\r\n" + _BODY[:9],
        "half a chunk": _HEAD + b"transfer-encoding: chunked\r\n\r\n12\r\n" + _BODY[:9],
        "no last chunk": _HEAD + b"transfer-encoding: chunked\r\n\r\n12\r\n%s\r\n" % _BODY,
        "a length that is too large": _HEAD + b"content-length: 19\r\n\r\n" + _BODY,
        "half a first line of a stream": _chunked_stream(b'3\r\n"a'),
    }
    for what, data in too_slow.items():
        yield Exchange(f"HTTP: {what}", data, due=None, statuses=frozenset({408}))
    for what, data in {"nothing": b"", "an empty line": b"\r\n", "many empty lines": b"\r\n" * 500}.items():
        yield Exchange(f"HTTP: {what}", data, due=None, statuses=frozenset({408}))
    taken = {
        "lines that end in LF alone": (400, (_GET + b"\r\n").replace(b"\r\n", b"\n")),
        "empty lines before it": (200, b"\r\n\r\n" + _GET + b"\r\n"),
        "HTTP/1.0": (200, _GET.replace(b"1.1", b"1.0") + b"\r\n"),
        "HTTP/1.0, to be kept open": (200, _GET.replace(b"1.1", b"1.0") + b"connection: keep-alive\r\n\r\n"),
        "no host": (200, b"GET /livez HTTP/1.1\r\n\r\n"),
        "two hosts": (200, _GET + b"host: %s\r\n\r\n" % NAME.encode()),
        "a whole URL as target": (200, _GET.replace(b"/livez", b"http://%s/livez" % NAME.encode()) + b"\r\n"),
        "a fragment in the target": (200, _GET.replace(b"/livez", b"/livez#%s" % NAME.encode()) + b"\r\n"),
        "OPTIONS *": (404, _GET.replace(b"GET /livez", b"OPTIONS *") + b"\r\n"),
        "CONNECT": (400, _GET.replace(b"GET /livez", b"CONNECT localhost:80") + b"\r\n"),
        "WebSocket": (200, _GET + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n"),
        "h2c": (
            200,
            _GET + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n\r\n",
        ),
        "a GET with a body": (200, _GET + b"content-length: 8\r\n\r\n" + NAME.encode()),
        "a body in chunks of one byte": (200, _HEAD + b"transfer-encoding: chunked\r\n\r\n" + _bytewise(_BODY)),
        "chunks with extensions": (
            200,
            _HEAD + b"transfer-encoding: chunked\r\n\r\n12;%s=1\r\n%s\r\n0\r\n\r\n" % (NAME.encode(), _BODY),
        ),
        "a trailer": (
            200,
            _HEAD + b"transfer-encoding: chunked\r\n\r\n12\r\n%s\r\n0\r\nx-a: %s\r\n\r\n" % (_BODY, NAME.encode()),
        ),
        "Expect": (200, _HEAD + b"expect: 100-continue\r\ncontent-length: 18\r\n\r\n" + _BODY),
        "an expectation that is none": (
            200,
            _HEAD + b"expect: %s\r\ncontent-length: 18\r\n\r\n" % NAME.encode() + _BODY,
        ),
        "Expect with a body too large": (413, _HEAD + b"expect: 100-continue\r\ncontent-length: 99999\r\n\r\n"),
        "a body too large, announced": (413, _HEAD + b"content-length: 99999999\r\n\r\n"),
        "a body too large, in chunks": (
            413,
            _HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"2000\r\n%s\r\n" % (b"a" * 8192) * 9,
        ),
        "a file too large, announced": (
            413,
            request("POST", FILE, {"content-type": CSV, "content-length": "999999999"}),
        ),
        "200 headers": (200, _GET + b"".join(b"x-%d: %s\r\n" % (i, NAME.encode()) for i in range(200)) + b"\r\n"),
        "a header 200 times": (200, _GET + b"accept: */*\r\n" * 200 + b"\r\n"),
        "two content types": (200, _HEAD + b"content-type: text/plain\r\ncontent-length: 18\r\n\r\n" + _BODY),
    }
    for what, (status, data) in taken.items():
        yield case(f"HTTP: {what}", status, data)
        if status == 200 and len(data) < 1000:
            yield case(f"HTTP, byte by byte: {what}", status, data, cuts=tuple(range(len(data))))
    good, bad = _GET + b"\r\n", _GET.replace(b"/livez", b"/" + NAME.encode()) + b"\r\n"
    predicted = _HEAD + b"content-length: 18\r\n\r\n" + _BODY
    yield Exchange("HTTP: 50 requests at once", (good + bad) * 25, due=50, order=(200, 404) * 25)
    yield Exchange(
        "HTTP: a hot route behind a stream", _chunked_stream(b"0\r\n\r\n") + predicted, due=2, order=(200, 200)
    )
    yield Exchange("HTTP: a hot route behind an ordinary one", bad + predicted * 3, due=4, order=(404, 200, 200, 200))
    yield Exchange("HTTP: what follows a refusal", b"X\r\n\r\n" + good, due=None, order=(400,))
    yield Exchange("HTTP: 500 requests at once", good * 500, due=None, statuses=frozenset({200}))


def _chunked_stream(body: bytes) -> bytes:
    head = f"POST {STREAM} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\ncontent-type: {NDJSON}\r\n"
    return head.encode() + b"transfer-encoding: chunked\r\n\r\n" + body


def _bytewise(body: bytes) -> bytes:
    return b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"

"""Nasty requests made by hand, for every route, and the status that each must get. Knows no socket.

All of api/tests/test_malformed.py's kinds, on every route that they concern, and what only a socket can say.
"""

import json
import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from generators import JSON, request
from markers import MARKERS
from service import KEY
from wire import Exchange

NAME = MARKERS[0]
_MODEL = "/v2/models/name-classifier"
_INFER = f"{_MODEL}/infer"
_STREAM, _FILE = "/v1/predict/stream", "/v1/predict/file"
_NDJSON, _CSV = "application/x-ndjson", "text/csv"
_GETS = (
    *("/check_service", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/model", "/v1/models"),
    *("/v1/similar", "/v2", "/v2/health/live", "/v2/health/ready", _MODEL, f"{_MODEL}/ready"),
)
_POSTS = {
    "/get_prediction": JSON,
    "/v1/predict": JSON,
    "/v1/explain": JSON,
    _INFER: JSON,
    _STREAM: _NDJSON,
    _FILE: _CSV,
}
_JSON_POSTS = ("/get_prediction", "/v1/predict", "/v1/explain", _INFER)


def _case(what: str, statuses: int | tuple[int, ...], data: bytes, **more: Any) -> Exchange:
    given = (statuses,) if isinstance(statuses, int) else statuses
    return Exchange(what, data, statuses=frozenset(given), **more)


def _post(what: str, statuses: int | tuple[int, ...], path: str, body: bytes, **headers: str) -> Exchange:
    """Return a POST as the route wants it, but for the body and what `headers` say."""
    sent = {"content-type": _POSTS[path.partition("?")[0]]} | {k.replace("_", "-"): v for k, v in headers.items()}
    return _case(f"{path}: {what}", statuses, request("POST", path, sent, body))


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


# --- names


_BAD_NAMES: dict[str, bytes] = {
    "empty": b'""',
    "spaces": b'"   "',
    "a zero-width space": b'"\\u200b"',
    "101 characters": json.dumps(NAME + "a" * 93).encode(),
    "10,000 characters": json.dumps(NAME * 1250).encode(),
    "a ligature that unfolds to 18 letters, 90 times": json.dumps("\ufdfa" * 90).encode(),
    "a lone surrogate": b'"%s\\ud800"' % NAME.encode(),
    "surrogates in the wrong order": b'"%s\\udc00\\ud800"' % NAME.encode(),
    "NUL": b'"%s\\u0000"' % NAME.encode(),
    "an escape character": b'"\\u001b[31m%s"' % NAME.encode(),
    "private use": b'"%s\\ue000"' % NAME.encode(),
    "a noncharacter": b'"%s\\uffff"' % NAME.encode(),
    "a number": b"7",
    "null": b"null",
    "true": b"true",
    "NaN": b"NaN",
    "a list": b'["%s"]' % NAME.encode(),
    "an object": b'{"%s": 1}' % NAME.encode(),
}


def _names() -> Iterator[Exchange]:
    for what, written in _BAD_NAMES.items():
        yield _post(f"name: {what}", 422, "/get_prediction", b'{"name": %s}' % written)
        yield _post(f"name: {what}", 422, "/v1/predict", b'{"names": ["Jordan", %s]}' % written)
        yield _post(f"name: {what}", 422, "/v1/explain", b'{"name": %s}' % written)
        yield _post(f"name: {what}", (400, 422), _INFER, _tensor(b'"shape": [1], "data": [%s]' % written))
        yield _post(f"line: {what}", 200, _STREAM, b'"Jordan"\n{"name": %s, "id": 7}\n"Jordan"' % written)
    for text in ("", "  ", "\u200b", NAME + "a" * 93, "\ufdfa" * 90, f"{NAME}\x00", f"{NAME}\ue000", "😀😀", "\u0300"):
        yield _case(f"similar: {text[:9]!r}", 422, request("GET", f"/v1/similar?name={quote(text)}"))
        yield _post(f"row: {text[:9]!r}", 200, _FILE, f'name\n"{text}"\nJordan\n'.encode())
    for unreadable in ("😀😀", "12345", "\u0300\u0301", "???"):
        yield _post(f"name: {unreadable!r}", (200, 422), "/get_prediction", _json(name=unreadable))
        yield _post(f"name: {unreadable!r}", 200, "/v1/predict", _json(names=[unreadable, NAME]))


# --- bodies


_BAD_JSON: dict[str, tuple[tuple[int, ...], bytes]] = {
    "nothing": ((400, 422), b""),
    "white space": ((400,), b" \n"),
    "null": ((422,), b"null"),
    "a list": ((422,), b'["%s"]' % NAME.encode()),
    "a string": ((422,), b'"%s"' % NAME.encode()),
    "a number": ((422,), b"1e999"),
    "cut off": ((400,), b'{"name": "%s"' % NAME.encode()),
    "cut off in an escape": ((400,), b'{"name": "%s\\u00' % NAME.encode()),
    "a form": ((400,), b"name=%s" % NAME.encode()),
    "single quotes": ((400,), b"{'name': '%s'}" % NAME.encode()),
    "a comma too many": ((400,), b'{"name": "%s",}' % NAME.encode()),
    "two documents": ((400,), b'{"name": "Jordan"}{"name": "%s"}' % NAME.encode()),
    "bad UTF-8": ((400,), b'{"name": "\xff\xfe"}'),
    "overlong UTF-8": ((400,), b'{"name": "\xc0\xaf"}'),
    "a surrogate in UTF-8": ((400, 422), b'{"name": "\xed\xa0\x80"}'),
    "NUL behind it": ((400,), b'{"name": "Jordan"}\x00'),
    "30,000 lists": ((400,), b"[" * 30_000),
    "10,000 objects": ((400, 422), b'{"name":' * 7_000 + b"1" + b"}" * 7_000),
    "5,000 digits": ((400, 422), b'{"name": ' + b"9" * 5000 + b"}"),
    "an unknown field": ((422,), b'{"%s": 1}' % NAME.encode()),
    "10,000 unknown fields": ((422,), b"{" + b",".join(b'"%d":1' % i for i in range(5000)) + b"}"),
    "70 KB": ((413,), b'{"name": "' + b"a" * 70_000 + b'"}'),
}


def _bodies() -> Iterator[Exchange]:
    for path in _JSON_POSTS:
        for what, (statuses, body) in _BAD_JSON.items():
            yield _post(f"body: {what}", statuses, path, body)
    for path, own in _POSTS.items():
        for media_type in ("application/x-www-form-urlencoded", "image/png", "multipart/form-data; boundary=a", NAME, ","):
            yield _post(f"sent as {media_type}", 415, path, b"{}", content_type=media_type)
        yield _post("sent as its type, oddly", (200, 400, 422), path, b"{}", content_type=f" {own.upper()} ;charset=\xff;;")
        if path != _INFER:
            sent = request("POST", path, {}, b'{"name": "Jordan"}')
            yield _case(f"{path}: sent as nothing", 415, sent)


def _options() -> Iterator[Exchange]:
    bad_counts = (0, -1, 44, 10**30, 1.5, "2", True, [], {NAME: 1}, NAME)
    for count in bad_counts:
        yield _post(f"{count!r:.20} labels", 422, "/get_prediction", _json(name=NAME, n_predictions=count))
        yield _post(f"{count!r:.20} labels", 422, "/v1/predict", _json(names=[NAME], top_k=count))
        yield _post(f"{count!r:.20} labels", 422, _INFER, _tensor(_DATA, parameters=json.dumps({"top_k": count})))
        if count is not True and not isinstance(count, list):
            yield _post(f"{count!r:.20} labels", 422, f"{_STREAM}?top_k={quote(str(count), safe='')}", b'"a"') if str(
                count
            ) != "2" else _post("'2' labels", 200, f"{_STREAM}?top_k=2", b'"Jordan"')
    for prior in (NAME, "", "Natural", 1, True, {}, {NAME: 1}, {"English": 0}, {"English": -1}, {"English": "1"}, ["English"]):
        yield _post(f"prior {prior!r:.20}", 422, "/v1/predict", _json(names=[NAME], prior=prior))
    for written in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):
        yield _post(f"weight {written!r}", 422, "/v1/predict", b'{"names": ["a"], "prior": {"English": %s}}' % written)
    yield _post("huge weights", 200, "/v1/predict", b'{"names": ["a"], "prior": {"English": 1e308, "Irish": 1e308}}')
    yield _post("tiny weights", 200, "/v1/predict", b'{"names": ["a"], "prior": {"English": 5e-324}}')
    yield _post("the same field twice", (200, 422), "/get_prediction", b'{"name": "%s", "name": "Jordan"}' % NAME.encode())
    for abstain in (1, "true", None, NAME):
        yield _post(f"abstain {abstain!r}", 422, "/v1/predict", _json(names=[NAME], abstain=abstain))
    for label in (NAME, "", "english", "a" * 1000, 7, ["English"]):
        yield _post(f"label {label!r:.20}", 422, "/v1/explain", _json(name="Jordan", label=label))
    yield _post("no name", 422, "/v1/predict", _json(names=[]))
    yield _post("1,001 names", 422, "/v1/predict", _json(names=["a"] * 1001))
    yield _post("1,000 names, the last one bad", 422, "/v1/predict", _json(names=[NAME] * 999 + [""]))
    yield _post("a name instead of names", 422, "/v1/predict", _json(names=NAME))
    queries = {
        "": 422,
        "name": 422,
        "name=": 422,
        f"Name={NAME}": 422,
        f"name={NAME}&n=0": 422,
        f"name={NAME}&n=": 422,
        f"name={NAME}&n=-1": 422,
        f"name={NAME}&n=101": 422,
        f"name={NAME}&n=1.5": 422,
        f"name={NAME}&n={'9' * 5000}": 422,
        f"name={NAME}&n=%D9%A3": (200, 422),
        f"name={NAME}&n={NAME}": 422,
        f"name={NAME}&label={NAME}": 422,
        f"name={NAME}&label=": 422,
        f"name={NAME}&label=%00": 422,
        f"name={NAME}&name=": 422,
        f"name={NAME}%00": 422,
        "name=%ff%fe": (200, 422),
        "name=%ed%a0%80": (200, 422),
        "name=%": (200, 422),
        "name=" + "%41" * 101: 422,
        "&" * 1000 + f"name={NAME}": 200,
        "name=a&" * 2000: (200, 431),
        f"name={NAME}&{NAME}={NAME}": 200,
        f"name[]={NAME}": 422,
        f"name={NAME}#fragment": 200,
    }
    for query, status in queries.items():
        yield _case(f"/v1/similar?{query:.40}", status, request("GET", f"/v1/similar?{query}"))


# --- tensors


_DATA = b'"shape": [1], "data": ["%s"]' % NAME.encode()


def _tensor(inside: bytes, *, name: bytes = b"name", datatype: bytes = b"BYTES", **more: str) -> bytes:
    tail = "".join(f', "{key}": {value}' for key, value in more.items()).encode()
    return b'{"inputs": [{"name": "%s", "datatype": "%s", %s}]%s}' % (name, datatype, inside, tail)


def _binary(what: str, status: int, raw: bytes, *, size: int | None = None, length: str | None = None, n: int = 1) -> Exchange:
    said = len(raw) if size is None else size
    head = _tensor(b'"shape": [%d], "parameters": {"binary_data_size": %d}' % (n, said))
    sent = str(len(head)) if length is None else length
    return _post(what, status, _INFER, head + raw, inference_header_content_length=sent)


def _packed(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<I", len(text) if length is None else length) + text


def _tensors() -> Iterator[Exchange]:
    for shape in ("[0]", "[-1]", "[2]", "[1, 2]", "[1, 1, 1]", "[]", "[1e9]", "[1.5]", "null", '"1"', "[10000000000000000000]", "[NaN]"):
        yield _post(f"shape {shape}", 422, _INFER, _tensor(b'"shape": %s, "data": ["a"]' % shape.encode()))
    for data in (b"[]", b"null", b"7", b'"a"', b"[[]]", b'[["a", "b"]]', b'[[["a"]]]', b'{"a": 1}', b"[[null]]"):
        yield _post(f"data {data!r}", 422, _INFER, _tensor(b'"shape": [1, 1], "data": %s' % data))
    yield _post("1,001 names", 422, _INFER, _tensor(b'"shape": [1001], "data": [%s]' % b",".join([b'"a"'] * 1001)))
    yield _post("another input", 422, _INFER, _tensor(_DATA, name=NAME.encode()))
    yield _post("another datatype", 422, _INFER, _tensor(_DATA, datatype=b"FP32"))
    yield _post("no input", 422, _INFER, b'{"inputs": []}')
    yield _post("two inputs", 422, _INFER, _tensor(_DATA)[:-2] + b", " + _tensor(_DATA)[12:])
    yield _post("an unknown output", 422, _INFER, _tensor(_DATA, outputs=json.dumps([{"name": NAME}])))
    yield _post("an output twice", 422, _INFER, _tensor(_DATA, outputs='[{"name": "label"}, {"name": "label"}]'))
    yield _post("an id of 129 characters", 422, _INFER, _tensor(_DATA, id=json.dumps("a" * 129)))
    yield _post("an id with a lone surrogate", 400, _INFER, _tensor(_DATA, id='"\\ud800"'))
    yield _post("an unknown parameter", 200, _INFER, _tensor(_DATA, parameters=json.dumps({NAME: 1})))
    for encoding in ("gzip", "br", NAME):
        yield _post(f"encoded as {encoding}", 415, _INFER, _tensor(_DATA), content_encoding=encoding)
    good = _packed(NAME.encode())
    yield _binary("sound binary data", 200, good)
    yield _binary("no binary data", 422, b"")
    yield _binary("a size too large", 422, good, size=len(good) + 1)
    yield _binary("a size too small", 422, good, size=len(good) - 1)
    yield _binary("a negative size", 422, good, size=-1)
    yield _binary("a huge size", 422, good, size=2**70)
    yield _binary("a length past the end", 422, _packed(NAME.encode(), 2**32 - 1))
    yield _binary("a length cut off", 422, good + b"\x01\x00", n=2)
    yield _binary("an empty string", 422, _packed(b""))
    yield _binary("bad UTF-8", 422, _packed(b"\xff\xfe"))
    yield _binary("a surrogate", 422, _packed(b"\xed\xa0\x80"))
    yield _binary("NUL", 422, _packed(NAME.encode() + b"\x00"))
    yield _binary("more strings than the shape says", 422, good * 2)
    yield _binary("fewer strings than the shape says", 422, good, n=2)
    yield _binary("15,000 empty strings", 422, _packed(b"") * 15_000, n=1000)
    for length in ("-1", "0", "1", "99999", "1e3", "+1", NAME, "", "9" * 400, "0x10", "٣"):
        status = 400 if length in {"0", "1", "+1"} else 422
        yield _binary(f"JSON of {length:.9} bytes", status, good, length=length.encode().decode("latin-1"))
    for path in (f"{_MODEL}/versions/1/infer", f"/v2/models/{NAME}/infer", f"/v2/models/{'a' * 5000}/infer", "/v2/models//infer"):
        yield _case(f"another model: {path:.40}", 404, request("POST", path, {"content-type": JSON}, _tensor(_DATA)))
    for path in (f"/v2/models/{NAME}", f"/v2/models/{NAME}/ready", f"{_MODEL}/versions/%00", f"{_MODEL}/versions/{NAME}/ready", "/v2/x"):
        yield _case(f"another model: {path:.40}", 404, request("GET", path))


# --- streams and files


def _bulk() -> Iterator[Exchange]:
    lines = {
        "nothing": b"",
        "empty lines": b"\n\r\n \n\t",
        "a bad line": b'"Jordan"\n{"name": \n"Kowalska"',
        "an unknown field": _json(name="Jordan", **{NAME: 1}),
        "bad UTF-8": b'"\xff%s"\n"Jordan"' % NAME.encode(),
        "a long line": b'"' + NAME.encode() * 1000 + b'"\n"Jordan"\n',
        "a deep line": b"[" * 4000 + b'\n"Jordan"',
        "a deep id": b'{"name": "Jordan", "id": ' + b"[" * 1500 + b"]" * 1500 + b"}",
        "an id with bad UTF-8": b'{"name": "Jordan", "id": "\xff"}',
        "an id that is no number": b'{"name": "Jordan", "id": NaN}',
        "a byte-order mark": b'\xef\xbb\xbf"Jordan"\n',
        "UTF-16": '"Jordan"\n'.encode("utf-16"),
        "NUL lines": b"\x00\n\x00\n",
        "CR alone": b'"Jordan"\r"Kowalska"',
        "20,000 lines": b'"a"\n' * 20_000,
    }
    for what, body in lines.items():
        yield _post(what, 200, _STREAM, body)
    for query in (f"prior={NAME}", f"abstain={NAME}", "top_k=", f"top_k={'9' * 5000}", "prior=", "abstain="):
        yield _post(query[:30], 422, f"{_STREAM}?{query}", b'"Jordan"')
        yield _post(query[:30], 422, f"{_FILE}?{query}", b"name\nJordan")
    files: dict[str, tuple[int, bytes]] = {
        "nothing": (422, b""),
        "empty lines": (422, b"\n\n\r\n"),
        "another column": (422, b"%s\nJordan\n" % NAME.encode()),
        "the column twice": (422, b"name,name\nA,B\n"),
        "a header of bad UTF-8": (422, b"\xffname\n"),
        "UTF-16": (422, "name\nJordan\n".encode("utf-16")),
        "a header of 100 KB": (422, b"a" * 100_000),
        "CR alone": (422, b"name\rJordan\r"),
        "a quote left open": (200, b'name\n"%s\nJordan\n' % NAME.encode()),
        "a quote within": (200, b'name\nO"Brien\n"O""Brien"\n"a"b\n'),
        "a row too long": (200, b"name\nJordan,%s\n" % NAME.encode()),
        "a row too short": (200, b"id,name\n7\n"),
        "bad UTF-8": (200, b"name\nJ\xffrdan\n"),
        "a row of 100 KB": (200, b"name\n" + b"a" * 100_000 + b"\nJordan\n"),
        "NUL": (200, b"name\n%s\x00\nJordan" % NAME.encode()),
        "a formula": (200, b'name\n"=HYPERLINK(""x"")"\n@SUM(A1)\n'),
        "1,000 columns": (200, b"name," + b",".join(b"c%d" % i for i in range(1000)) + b"\nJordan\n"),
        "a byte-order mark": (200, b"\xef\xbb\xbfname\nJordan\n"),
        "only a header": (200, b"name"),
    }
    for what, (status, body) in files.items():
        yield _post(what, status, _FILE, body)
    for query in (f"column={NAME}", f"delimiter={NAME}", "delimiter=", "delimiter=%0A", "delimiter=%22", "column="):
        yield _post(query, 422, f"{_FILE}?{query}", b"name\nJordan\n")


# --- routes and methods


def _routes() -> Iterator[Exchange]:
    for path in _GETS:
        for method in ("POST", "DELETE"):
            yield _case(f"{method} {path}", 405, request(method, path, {"content-type": JSON}, b"{}"))
    for path in _POSTS:
        for method in ("GET", "OPTIONS"):
            yield _case(f"{method} {path}", 405, request(method, path))
    for method in ("PUT", "TRACE", "PROPFIND", "PURGE", "SUBSCRIBE"):
        yield _case(f"{method} /v1/predict", 405, request(method, "/v1/predict", {}, b"{}" if method == "PUT" else b""))
    for path in ("/check_service", "/livez", "/readyz"):
        yield _case(f"HEAD {path}", 200, request("HEAD", path), head=True)
    yield _case("HEAD /v1/predict", 405, request("HEAD", "/v1/predict"), head=True)
    paths = (
        *(f"/{NAME}", f"/{quote(MARKERS[2])}", "//", "/.", "/..%2f..%2fetc/passwd", "/%00", "/%ff", "/%", "/get_prediction/"),
        *("/GET_PREDICTION", "//get_prediction", "/v1", "/v1/", "/v1/predict/", "/v1/predict/stream/", "/static/../api/main.py"),
        *("/get_prediction%00", "/get_prediction;a=b", "/metrics/", "/openapi.yaml", "/redoc", f"/{'a' * 10_000}", "/.env"),
    )
    for path in paths:
        yield _case(f"path {path:.30}", 404, request("GET", path))
    for path in ("/get_prediction?", f"/get_prediction?name={NAME}", "/get%5fprediction", "/v1/predict%2f", "/v1/./predict"):
        known = path.startswith("/get")
        yield _case(f"POST {path}", 422 if known else 404, request("POST", path, {"content-type": JSON}, b"{}"))


# --- HTTP itself


_BODY = b'{"name": "Jordan"}'
_HEAD = f"POST /get_prediction HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n".encode()
_GET = f"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\n".encode()


def _http() -> Iterator[Exchange]:
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
        "a trailer of 20,000 bytes": _HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\nx-a: " + b"a" * 20_000 + b"\r\n\r\n",
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
        "h2c": (200, _GET + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n\r\n"),
        "a GET with a body": (200, _GET + b"content-length: 8\r\n\r\n" + NAME.encode()),
        "a body in chunks of one byte": (200, _HEAD + b"transfer-encoding: chunked\r\n\r\n" + _bytewise(_BODY)),
        "chunks with extensions": (200, _HEAD + b"transfer-encoding: chunked\r\n\r\n12;%s=1\r\n%s\r\n0\r\n\r\n" % (NAME.encode(), _BODY)),
        "a trailer": (200, _HEAD + b"transfer-encoding: chunked\r\n\r\n12\r\n%s\r\n0\r\nx-a: %s\r\n\r\n" % (_BODY, NAME.encode())),
        "Expect": (200, _HEAD + b"expect: 100-continue\r\ncontent-length: 18\r\n\r\n" + _BODY),
        "an expectation that is none": (200, _HEAD + b"expect: %s\r\ncontent-length: 18\r\n\r\n" % NAME.encode() + _BODY),
        "Expect with a body too large": (413, _HEAD + b"expect: 100-continue\r\ncontent-length: 99999\r\n\r\n"),
        "a body too large, announced": (413, _HEAD + b"content-length: 99999999\r\n\r\n"),
        "a body too large, in chunks": (413, _HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"2000\r\n%s\r\n" % (b"a" * 8192) * 9),
        "a file too large, announced": (413, request("POST", _FILE, {"content-type": _CSV, "content-length": "999999999"})),
        "200 headers": (200, _GET + b"".join(b"x-%d: %s\r\n" % (i, NAME.encode()) for i in range(200)) + b"\r\n"),
        "a header 200 times": (200, _GET + b"accept: */*\r\n" * 200 + b"\r\n"),
        "two content types": (200, _HEAD + b"content-type: text/plain\r\ncontent-length: 18\r\n\r\n" + _BODY),
    }
    for what, (status, data) in taken.items():
        yield _case(f"HTTP: {what}", status, data)
        if status == 200 and len(data) < 1000:
            yield _case(f"HTTP, byte by byte: {what}", status, data, cuts=tuple(range(len(data))))
    good, bad = _GET + b"\r\n", _GET.replace(b"/livez", b"/" + NAME.encode()) + b"\r\n"
    predicted = _HEAD + b"content-length: 18\r\n\r\n" + _BODY
    yield Exchange("HTTP: 50 requests at once", (good + bad) * 25, due=50, order=(200, 404) * 25)
    yield Exchange("HTTP: a hot route behind a stream", _chunked_stream(b"0\r\n\r\n") + predicted, due=2, order=(200, 200))
    yield Exchange("HTTP: a hot route behind an ordinary one", bad + predicted * 3, due=4, order=(404, 200, 200, 200))
    yield Exchange("HTTP: what follows a refusal", b"X\r\n\r\n" + good, due=None, order=(400,))
    yield Exchange("HTTP: 500 requests at once", good * 500, due=None, statuses=frozenset({200}))


def _chunked_stream(body: bytes) -> bytes:
    head = f"POST {_STREAM} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\ncontent-type: {_NDJSON}\r\n"
    return head.encode() + b"transfer-encoding: chunked\r\n\r\n" + body


def _bytewise(body: bytes) -> bytes:
    return b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"


def _headers() -> Iterator[Exchange]:
    headers = {
        "x-request-id": (NAME + " " + NAME, "a" * 129, "\xff", "", "${jndi:ldap://x}"),
        "idempotency-key": (f'"{NAME}"', "a" * 10_000),
        "traceparent": (NAME, "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "00", "\xff" * 55),
        "accept": (NAME, "application/openmetrics-text; version=abc", "\xff", ",,,;q=2"),
        "origin": (f"https://{NAME}", "null"),
        "cookie": (f"name={NAME}",),
        "user-agent": (NAME, ""),
        "x-forwarded-for": (NAME, "\xff"),
        "forwarded": (f'for="{NAME}"',),
        "authorization": (f"Basic {NAME}",),
        "host": (NAME, "", "a" * 5000, "localhost:99999"),
    }
    for name, values in headers.items():
        for value in values:
            for path in ("/metrics", "/v1/model"):
                yield _case(f"{path} with {name}: {value[:20]!r}", 200, request("GET", path, {name: value}))


CASES = [
    *_names(),
    *_bodies(),
    *_options(),
    *_tensors(),
    *_bulk(),
    *_routes(),
    *_http(),
    *_headers(),
]


def _keys() -> Iterator[Exchange]:
    for what, key in {"none": "", "a wrong one": NAME, "one too many letters": KEY + "a", "no ASCII": "\xff" * 40}.items():
        for path in ("/v1/model", f"/{NAME}", f"/v1/similar?name={NAME}"):
            yield _case(f"key: {what}, {path}", 401, request("GET", path, {"x-api-key": key}))
        for path, media_type in _POSTS.items():
            sent = request("POST", path, {"x-api-key": key, "content-type": media_type}, NAME.encode())
            yield _case(f"key: {what}, {path}", 401, sent)
        for path in ("/livez", "/readyz", "/metrics", "/check_service", "/docs", "/openapi.json"):
            yield _case(f"key: {what}, {path}", 200, request("GET", path, {"x-api-key": key}))


PRODUCTION_CASES = list(_keys())

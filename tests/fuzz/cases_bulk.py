"""Nasty tensors, streams of lines and files of rows."""

import json
import struct
from collections.abc import Iterator

from building import DATA, FILE, INFER, NAME, STREAM, as_json, case, post, tensor
from wire import Exchange
from writing import JSON, MODEL, request

# --- tensors


def _binary(
    what: str, status: int, raw: bytes, *, size: int | None = None, length: str | None = None, n: int = 1
) -> Exchange:
    said = len(raw) if size is None else size
    head = tensor(b'"shape": [%d], "parameters": {"binary_data_size": %d}' % (n, said))
    sent = str(len(head)) if length is None else length
    return post(what, status, INFER, head + raw, inference_header_content_length=sent)


def _packed(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<I", len(text) if length is None else length) + text


def tensors() -> Iterator[Exchange]:
    for shape in (
        "[0]",
        "[-1]",
        "[2]",
        "[1, 2]",
        "[1, 1, 1]",
        "[]",
        "[1e9]",
        "[1.5]",
        "null",
        '"1"',
        "[10000000000000000000]",
        "[NaN]",
    ):
        yield post(f"shape {shape}", 422, INFER, tensor(b'"shape": %s, "data": ["a"]' % shape.encode()))
    for data in (b"[]", b"null", b"7", b'"a"', b"[[]]", b'[["a", "b"]]', b'[[["a"]]]', b'{"a": 1}', b"[[null]]"):
        yield post(f"data {data!r}", 422, INFER, tensor(b'"shape": [1, 1], "data": %s' % data))
    yield post("1,001 names", 422, INFER, tensor(b'"shape": [1001], "data": [%s]' % b",".join([b'"a"'] * 1001)))
    yield post("another input", 422, INFER, tensor(DATA, name=NAME.encode()))
    yield post("another datatype", 422, INFER, tensor(DATA, datatype=b"FP32"))
    yield post("no input", 422, INFER, b'{"inputs": []}')
    yield post("two inputs", 422, INFER, tensor(DATA)[:-2] + b", " + tensor(DATA)[12:])
    yield post("an unknown output", 422, INFER, tensor(DATA, outputs=json.dumps([{"name": NAME}])))
    yield post("an output twice", 422, INFER, tensor(DATA, outputs='[{"name": "label"}, {"name": "label"}]'))
    yield post("an id of 129 characters", 422, INFER, tensor(DATA, id=json.dumps("a" * 129)))
    yield post("an id with a lone surrogate", 400, INFER, tensor(DATA, id='"\\ud800"'))
    yield post("an unknown parameter", 200, INFER, tensor(DATA, parameters=json.dumps({NAME: 1})))
    for encoding in ("gzip", "br", NAME):
        yield post(f"encoded as {encoding}", 415, INFER, tensor(DATA), content_encoding=encoding)
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
    for path in (
        f"{MODEL}/versions/1/infer",
        f"/v2/models/{NAME}/infer",
        f"/v2/models/{'a' * 5000}/infer",
        "/v2/models//infer",
    ):
        yield case(f"another model: {path:.40}", 404, request("POST", path, {"content-type": JSON}, tensor(DATA)))
    for path in (
        f"/v2/models/{NAME}",
        f"/v2/models/{NAME}/ready",
        f"{MODEL}/versions/%00",
        f"{MODEL}/versions/{NAME}/ready",
        "/v2/x",
    ):
        yield case(f"another model: {path:.40}", 404, request("GET", path))


# --- streams and files


def bulk() -> Iterator[Exchange]:
    lines = {
        "nothing": b"",
        "empty lines": b"\n\r\n \n\t",
        "a bad line": b'"Jordan"\n{"name": \n"Kowalska"',
        "an unknown field": as_json(name="Jordan", **{NAME: 1}),
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
        yield post(what, 200, STREAM, body)
    for query in (f"prior={NAME}", f"abstain={NAME}", "top_k=", f"top_k={'9' * 5000}", "prior=", "abstain="):
        yield post(query[:30], 422, f"{STREAM}?{query}", b'"Jordan"')
        yield post(query[:30], 422, f"{FILE}?{query}", b"name\nJordan")
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
        yield post(what, status, FILE, body)
    for query in (f"column={NAME}", f"delimiter={NAME}", "delimiter=", "delimiter=%0A", "delimiter=%22", "column="):
        yield post(query, 422, f"{FILE}?{query}", b"name\nJordan\n")

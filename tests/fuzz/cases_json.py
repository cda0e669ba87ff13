"""Nasty names, documents and options, for every route that takes JSON."""

import json
from collections.abc import Iterator
from urllib.parse import quote

from building import DATA, FILE, INFER, JSON_POSTS, NAME, POSTS, STREAM, as_json, case, post, tensor
from wire import Exchange
from writing import request

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


def names() -> Iterator[Exchange]:
    for what, written in _BAD_NAMES.items():
        yield post(f"name: {what}", 422, "/get_prediction", b'{"name": %s}' % written)
        yield post(f"name: {what}", 422, "/v1/predict", b'{"names": ["Jordan", %s]}' % written)
        yield post(f"name: {what}", 422, "/v1/explain", b'{"name": %s}' % written)
        yield post(f"name: {what}", (400, 422), INFER, tensor(b'"shape": [1], "data": [%s]' % written))
        yield post(f"line: {what}", 200, STREAM, b'"Jordan"\n{"name": %s, "id": 7}\n"Jordan"' % written)
    for text in ("", "  ", "\u200b", NAME + "a" * 93, "\ufdfa" * 90, f"{NAME}\x00", f"{NAME}\ue000", "😀😀", "\u0300"):
        yield case(f"similar: {text[:9]!r}", 422, request("GET", f"/v1/similar?name={quote(text)}"))
        yield post(f"row: {text[:9]!r}", 200, FILE, f'name\n"{text}"\nJordan\n'.encode())
    for unreadable in ("😀😀", "12345", "\u0300\u0301", "???"):
        yield post(f"name: {unreadable!r}", (200, 422), "/get_prediction", as_json(name=unreadable))
        yield post(f"name: {unreadable!r}", 200, "/v1/predict", as_json(names=[unreadable, NAME]))


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


def bodies() -> Iterator[Exchange]:
    for path in JSON_POSTS:
        for what, (statuses, body) in _BAD_JSON.items():
            yield post(f"body: {what}", statuses, path, body)
    for path, own in POSTS.items():
        for media_type in (
            "application/x-www-form-urlencoded",
            "image/png",
            "multipart/form-data; boundary=a",
            NAME,
            ",",
        ):
            yield post(f"sent as {media_type}", 415, path, b"{}", content_type=media_type)
        yield post(
            "sent as its type, oddly", (200, 400, 422), path, b"{}", content_type=f" {own.upper()} ;charset=\xff;;"
        )
        if path != INFER:
            sent = request("POST", path, {}, b'{"name": "Jordan"}')
            yield case(f"{path}: sent as nothing", 415, sent)


def options() -> Iterator[Exchange]:
    bad_counts = (0, -1, 44, 10**30, 1.5, "2", True, [], {NAME: 1}, NAME)
    for count in bad_counts:
        yield post(f"{count!r:.20} labels", 422, "/get_prediction", as_json(name=NAME, n_predictions=count))
        yield post(f"{count!r:.20} labels", 422, "/v1/predict", as_json(names=[NAME], top_k=count))
        yield post(f"{count!r:.20} labels", 422, INFER, tensor(DATA, parameters=json.dumps({"top_k": count})))
        if isinstance(count, (int, float)) and count is not True:
            yield post(f"{count!r:.20} labels", 422, f"{STREAM}?top_k={count}", b'"Jordan"')
    for prior in (
        NAME,
        "",
        "Natural",
        1,
        True,
        {},
        {NAME: 1},
        {"English": 0},
        {"English": -1},
        {"English": "1"},
        ["English"],
    ):
        yield post(f"prior {prior!r:.20}", 422, "/v1/predict", as_json(names=[NAME], prior=prior))
    for written in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):
        yield post(f"weight {written!r}", 422, "/v1/predict", b'{"names": ["a"], "prior": {"English": %s}}' % written)
    yield post("huge weights", 200, "/v1/predict", b'{"names": ["a"], "prior": {"English": 1e308, "Irish": 1e308}}')
    yield post("tiny weights", 200, "/v1/predict", b'{"names": ["a"], "prior": {"English": 5e-324}}')
    yield post(
        "the same field twice", (200, 422), "/get_prediction", b'{"name": "%s", "name": "Jordan"}' % NAME.encode()
    )
    for abstain in (1, "true", None, NAME):
        yield post(f"abstain {abstain!r}", 422, "/v1/predict", as_json(names=[NAME], abstain=abstain))
    for label in (NAME, "", "english", "a" * 1000, 7, ["English"]):
        yield post(f"label {label!r:.20}", 422, "/v1/explain", as_json(name="Jordan", label=label))
    yield post("no name", 422, "/v1/predict", as_json(names=[]))
    yield post("1,001 names", 422, "/v1/predict", as_json(names=["a"] * 1001))
    yield post("1,000 names, the last one bad", 422, "/v1/predict", as_json(names=[NAME] * 999 + [""]))
    yield post("a name instead of names", 422, "/v1/predict", as_json(names=NAME))
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
        yield case(f"/v1/similar?{query:.40}", status, request("GET", f"/v1/similar?{query}"))

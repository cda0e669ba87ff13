"""Requests that hypothesis generates: documents, tensors, lines and rows, sound or not, damaged on their way or not."""

import csv
import io
import json
import struct
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.fuzz.markers import MARKERS
from tests.fuzz.sending import MODEL, POSTS, Request

STATUSES = frozenset({200, 400, 404, 405, 413, 415, 422, 431})
_ODD = "ßéøłđ'’-–. абв山田ابن\u0300\u200b\u202e\ufeff😀\ufdfa\x00\x1b\u2028\n\r\t\"\\\ud800\udc00\ue000\U0010ffff"
_TEXTS = st.text(st.characters() | st.sampled_from(_ODD), max_size=60)
_NAMES = st.builds("".join, st.tuples(_TEXTS, st.sampled_from(MARKERS), _TEXTS))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=5,
)
_LABELS = st.sampled_from(("English", "Polish", "german", ""))
_COUNTS = st.integers(0, 45)
_PRIORS = st.sampled_from(("natural", "uniform")) | st.dictionaries(_LABELS, st.floats(0, 1), max_size=2)
_GETS = (
    *("/", "/check_service", "/livez", "/metrics", "/openapi.json", "/docs", "/v1/model", "/v1/models", "/v1/similar"),
    *("/v2", MODEL, f"{MODEL}/ready", f"{MODEL}/versions/1/ready", *POSTS),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
# not x-request-id and idempotency-key: what a client chooses as an id is logged
_HEADERS = (
    *("traceparent", "tracestate", "accept", "accept-encoding", "cookie", "referer", "user-agent", "origin"),
    *("forwarded", "x-forwarded-for", "x-forwarded-proto", "range", "if-none-match", "host"),
)


def _documents(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects of which a field may be missing, of another kind, or unknown."""
    loose = {name: st.one_of(sound, sound, sound, sound, _VALUES) for name, sound in fields.items()}
    found = st.fixed_dictionaries({}, optional=loose)
    return st.one_of(st.fixed_dictionaries(fields), found, st.builds(dict[Any, Any], found, x=_VALUES), _VALUES)


def _written(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    def write(document: Any, escaped: bool) -> bytes:
        return json.dumps(document, ensure_ascii=escaped).encode("utf-8", "surrogatepass")

    return st.builds(write, documents, st.booleans())


def _damaged(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    def damage(body: bytes, place: int, lost: int, put: bytes) -> bytes:
        place %= len(body) + 1
        return body[:place] + put + body[place + lost :]

    hurt = st.builds(damage, bodies, st.integers(0, 10_000), st.integers(0, 8), st.binary(max_size=4))
    return st.one_of(bodies, bodies, bodies, hurt)


def _tensors() -> st.SearchStrategy[Any]:
    shapes = st.sampled_from(([1], [2], [1, 1], [0], [-1], [])) | st.lists(st.integers(), max_size=3)
    tensor = _documents(
        name=st.just("name"), datatype=st.just("BYTES"), shape=shapes, data=st.lists(_NAMES, max_size=2)
    )
    parameters = _documents(top_k=_COUNTS, prior=_PRIORS, abstain=st.booleans(), binary_data_output=st.booleans())
    return _documents(inputs=st.lists(tensor, max_size=2), id=_TEXTS, parameters=parameters)


def _binary_tensors() -> st.SearchStrategy[Request]:
    def build(names: list[str], off: int) -> Request:
        raw = [name.encode("utf-8", "surrogatepass") for name in names]
        packed = b"".join(struct.pack("<I", len(name)) + name for name in raw)
        parameters = {"binary_data_size": len(packed) + off}
        tensor = {"name": "name", "datatype": "BYTES", "shape": [len(names)], "parameters": parameters}
        head = json.dumps({"inputs": [tensor]}).encode()
        headers = {"inference-header-content-length": str(len(head)).encode()}
        return Request("binary", "POST", f"{MODEL}/infer", headers, head + packed, STATUSES)

    return st.builds(build, st.lists(_NAMES, max_size=4), st.sampled_from((0, 0, 0, 1, -1, 4)))


def _rows() -> st.SearchStrategy[bytes]:
    def write(columns: list[str], rows: list[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, escapechar="\\").writerows([columns, *rows])
        return text.getvalue().encode("utf-8", "surrogatepass")

    columns = st.sampled_from((["name"], ["id", "name"], ["name", "name"], ["surname"], []))
    return st.builds(write, columns, st.lists(st.lists(_NAMES, min_size=1, max_size=3), max_size=4))


_LINES = st.lists(_damaged(_written(_NAMES | _documents(name=_NAMES, id=st.integers()))), max_size=5).map(b"\n".join)
_BODIES = {
    "/get_prediction": _written(_documents(name=_NAMES, n_predictions=_COUNTS)),
    "/v1/predict": _written(
        _documents(names=st.lists(_NAMES, max_size=9), top_k=_COUNTS, prior=_PRIORS, abstain=st.booleans())
    ),
    "/v1/explain": _written(_documents(name=_NAMES, label=_LABELS)),
    f"{MODEL}/infer": _written(_tensors()),
    "/v1/predict/stream": _LINES,
    "/v1/predict/file": _rows(),
}


def _post(path: str) -> st.SearchStrategy[Request]:
    return st.builds(lambda body: Request("body", "POST", path, {}, body, STATUSES), _damaged(_BODIES[path]))


def _similar() -> st.SearchStrategy[Request]:
    def build(query: Any) -> Request:
        given = query if isinstance(query, dict) else {"name": query}
        target = "/v1/similar?" + urlencode(given, errors="surrogatepass")
        return Request("query", "GET", target, {}, b"", STATUSES)

    return st.builds(build, _documents(name=_NAMES, n=_COUNTS, label=_LABELS))


def _anywhere() -> st.SearchStrategy[Request]:
    def build(method: str, path: str, behind: str, header: str, value: str) -> Request:
        content = value.encode("latin-1", "replace").translate(None, b"\r\n\x00")
        return Request(
            "anywhere", method, quote(path + behind, errors="surrogatepass"), {header: content}, b"", STATUSES
        )

    behind = st.sampled_from(("", "", "/", "%00", ";a", "/..")) | _NAMES
    values = st.text(st.characters(max_codepoint=255), max_size=40) | _NAMES
    return st.builds(
        build, st.sampled_from(_METHODS), st.sampled_from(_GETS), behind, st.sampled_from(_HEADERS), values
    )


def requests() -> st.SearchStrategy[Request]:
    """Return requests of every route, and around them."""
    return st.one_of(*map(_post, _BODIES), _binary_tensors(), _similar(), _anywhere())

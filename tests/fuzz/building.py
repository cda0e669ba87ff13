"""How a handmade request is written, and what stands in most of them."""

import json
from typing import Any

from markers import MARKERS
from wire import Exchange
from writing import JSON, MODEL, request

NAME = MARKERS[0]
INFER = f"{MODEL}/infer"
STREAM, FILE = "/v1/predict/stream", "/v1/predict/file"
NDJSON, CSV = "application/x-ndjson", "text/csv"
GETS = (
    *("/check_service", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/model", "/v1/models"),
    *("/v1/similar", "/v2", "/v2/health/live", "/v2/health/ready", MODEL, f"{MODEL}/ready"),
)
POSTS = {
    "/get_prediction": JSON,
    "/v1/predict": JSON,
    "/v1/explain": JSON,
    INFER: JSON,
    STREAM: NDJSON,
    FILE: CSV,
}
JSON_POSTS = ("/get_prediction", "/v1/predict", "/v1/explain", INFER)


def case(what: str, statuses: int | tuple[int, ...], data: bytes, **more: Any) -> Exchange:
    given = (statuses,) if isinstance(statuses, int) else statuses
    return Exchange(what, data, statuses=frozenset(given), **more)


def post(what: str, statuses: int | tuple[int, ...], path: str, body: bytes, **headers: str) -> Exchange:
    """Return a POST as the route wants it, but for the body and what `headers` say."""
    sent = {"content-type": POSTS[path.partition("?")[0]]} | {k.replace("_", "-"): v for k, v in headers.items()}
    return case(f"{path}: {what}", statuses, request("POST", path, sent, body))


def as_json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


DATA = b'"shape": [1], "data": ["%s"]' % NAME.encode()


def tensor(inside: bytes, *, name: bytes = b"name", datatype: bytes = b"BYTES", **more: str) -> bytes:
    tail = "".join(f', "{key}": {value}' for key, value in more.items()).encode()
    return b'{"inputs": [{"name": "%s", "datatype": "%s", %s}]%s}' % (name, datatype, inside, tail)

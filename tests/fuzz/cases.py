"""Nasty requests made by hand, for every route, and the status that each must get; here: routes, headers and keys.

All of api/tests/test_malformed.py's kinds, on every route that they concern, and what only a socket can say.
"""

from collections.abc import Iterator
from urllib.parse import quote

from building import GETS, NAME, POSTS, case
from cases_bulk import bulk, tensors
from cases_http import broken_http
from cases_json import bodies, names, options
from markers import MARKERS
from service import KEY
from wire import Exchange
from writing import JSON, request


def _routes() -> Iterator[Exchange]:
    for path in GETS:
        for method in ("POST", "DELETE"):
            yield case(f"{method} {path}", 405, request(method, path, {"content-type": JSON}, b"{}"))
    for path in POSTS:
        for method in ("GET", "OPTIONS"):
            yield case(f"{method} {path}", 405, request(method, path))
    for method in ("PUT", "TRACE", "PROPFIND", "PURGE", "SUBSCRIBE"):
        yield case(f"{method} /v1/predict", 405, request(method, "/v1/predict", {}, b"{}" if method == "PUT" else b""))
    for path in ("/check_service", "/livez", "/readyz"):
        yield case(f"HEAD {path}", 200, request("HEAD", path), head=True)
    yield case("HEAD /v1/predict", 405, request("HEAD", "/v1/predict"), head=True)
    paths = (
        *(
            f"/{NAME}",
            f"/{quote(MARKERS[2])}",
            "//",
            "/.",
            "/..%2f..%2fetc/passwd",
            "/%00",
            "/%ff",
            "/%",
            "/get_prediction/",
        ),
        *(
            "/GET_PREDICTION",
            "//get_prediction",
            "/v1",
            "/v1/",
            "/v1/predict/",
            "/v1/predict/stream/",
            "/static/../api/main.py",
        ),
        *(
            "/get_prediction%00",
            "/get_prediction;a=b",
            "/metrics/",
            "/openapi.yaml",
            "/redoc",
            f"/{'a' * 10_000}",
            "/.env",
        ),
    )
    for path in paths:
        yield case(f"path {path:.30}", 404, request("GET", path))
    for path in (
        "/get_prediction?",
        f"/get_prediction?name={NAME}",
        "/get%5fprediction",
        "/v1/predict%2f",
        "/v1/./predict",
    ):
        known = path.startswith("/get")
        yield case(f"POST {path}", 422 if known else 404, request("POST", path, {"content-type": JSON}, b"{}"))


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
                yield case(f"{path} with {name}: {value[:20]!r}", 200, request("GET", path, {name: value}))


CASES = [
    *names(),
    *bodies(),
    *options(),
    *tensors(),
    *bulk(),
    *_routes(),
    *broken_http(),
    *_headers(),
]


def _keys() -> Iterator[Exchange]:
    for what, key in {
        "none": "",
        "a wrong one": NAME,
        "one too many letters": KEY + "a",
        "no ASCII": "\xff" * 40,
    }.items():
        for path in ("/v1/model", f"/{NAME}", f"/v1/similar?name={NAME}"):
            yield case(f"key: {what}, {path}", 401, request("GET", path, {"x-api-key": key}))
        for path, media_type in POSTS.items():
            sent = request("POST", path, {"x-api-key": key, "content-type": media_type}, NAME.encode())
            yield case(f"key: {what}, {path}", 401, sent)
        for path in ("/livez", "/readyz", "/metrics", "/check_service", "/docs", "/openapi.json"):
            yield case(f"key: {what}, {path}", 200, request("GET", path, {"x-api-key": key}))


PRODUCTION_CASES = list(_keys())

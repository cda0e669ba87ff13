"""Exchanges at random: every route, and headers of any kind."""

from collections.abc import Callable
from random import Random
from urllib.parse import quote

import bodies
from markers import MARKERS
from tangles import broken, pipeline
from wire import Exchange
from writing import JSON, MODEL, request

_VALID = b'{"name": "Jordan"}'
_PLAIN = frozenset({200, 400, 413, 415, 422})
_MEDIA_TYPES = (
    *(JSON, JSON.upper(), f"{JSON}; charset=utf-8", f"{JSON};charset=\xff"),
    *("text/plain", "image/png", "", ";", "*/*"),
)
_GETS = (
    *("/check_service", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/model", "/v1/models"),
    *("/v2", "/v2/health/live", "/v2/health/ready", MODEL, f"{MODEL}/ready", f"{MODEL}/versions/1/ready"),
)
_OTHERS = ("/get_prediction", "/v1/predict", "/v1/explain", "/v1/similar", f"{MODEL}/infer", "/v1/predict/file")


def generate(rng: Random) -> Exchange:
    """Return any exchange."""
    (make,) = rng.choices(list(_KINDS), list(_KINDS.values()))
    exchange = make(rng)
    if rng.random() < 0.2 and len(exchange.data) < 100_000:
        places = tuple(rng.randrange(len(exchange.data) + 1) for _ in range(rng.choice((1, 2, 5, 20))))
        return Exchange(**{**exchange.__dict__, "cuts": places})
    return exchange


# --- one whole request each


def _post(rng: Random, what: str, path: str, body: bytes, media_type: str = JSON) -> Exchange:
    if rng.random() < 0.2:
        body = bodies.damage(rng, body)
    sent = media_type if rng.random() < 0.95 else rng.choice(_MEDIA_TYPES)
    return Exchange(what, request("POST", path, {"content-type": sent}, body, rng=rng), statuses=_PLAIN)


def _compat(rng: Random) -> Exchange:
    fields = {"name": bodies.name(rng), "n_predictions": rng.choice((1, 2, 3, 43, 44))}
    return _post(rng, "get_prediction", "/get_prediction", bodies.dump(rng, bodies.document(rng, fields)))


def _predict(rng: Random) -> Exchange:
    found = bodies.document(rng, bodies.names_document(rng))
    return _post(rng, "predict", "/v1/predict", bodies.dump(rng, found))


def _explain(rng: Random) -> Exchange:
    fields = {"name": bodies.name(rng), "label": rng.choice((None, *bodies.LABELS, bodies.name(rng)))}
    return _post(rng, "explain", "/v1/explain", bodies.dump(rng, bodies.document(rng, fields)))


def _quoted(rng: Random, text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return quote(raw) if rng.random() < 0.8 else quote(bodies.damage(rng, raw), safe="=&+;%")


def _similar(rng: Random) -> Exchange:
    fields = {"name": bodies.name(rng), "n": rng.choice((1, 5, 100, 0, -1, 10**20)), "label": rng.choice(bodies.LABELS)}
    parts = [f"{key}={_quoted(rng, str(given))}" for key, given in fields.items() if rng.random() < 0.7]
    if rng.random() < 0.3:
        key = rng.choice(("n", "name", "x", _quoted(rng, bodies.name(rng))))
        parts.append(f"{key}={_quoted(rng, str(bodies.value(rng)))}")
    rng.shuffle(parts)
    return Exchange("similar", request("GET", f"/v1/similar?{'&'.join(parts)}"), statuses=_PLAIN | {431})


def _infer(rng: Random) -> Exchange:
    body, json_size = bodies.tensor_body(rng)
    headers = {"content-type": rng.choice((JSON, "application/octet-stream"))}
    if json_size is not None:
        headers["inference-header-content-length"] = str(json_size) if rng.random() < 0.95 else str(bodies.value(rng))
    headers = {name: value.replace("\n", "") for name, value in headers.items()}
    if rng.random() < 0.2:
        body = bodies.damage(rng, body)
    return Exchange("infer", request("POST", f"{MODEL}/infer", headers, body, rng=rng), statuses=_PLAIN)


def _stream(rng: Random) -> Exchange:
    target = "/v1/predict/stream" + rng.choice(("", "", "?top_k=2", "?abstain=true", f"?prior={quote(MARKERS[0])}"))
    return _post(rng, "stream", target, bodies.lines_body(rng), "application/x-ndjson")


def _file(rng: Random) -> Exchange:
    delimiter = rng.choice(",,;\t|")
    more = rng.choice(("", "", "&top_k=1", f"&column={quote(MARKERS[1])}"))
    target = f"/v1/predict/file?delimiter={quote(delimiter)}{more}"
    return _post(rng, "file", target, bodies.rows_body(rng, delimiter), "text/csv")


def _headers(rng: Random) -> Exchange:
    """Return a sound request with headers that proxies, browsers and attackers add."""
    marked = quote(rng.choice(MARKERS))
    pool = {
        "x-request-id": rng.choice(("a" * 128, "a b", f"{marked} {marked}", "\xff", "")),
        "idempotency-key": rng.choice(("7f", f'"{marked}"', "a" * 200)),
        "traceparent": rng.choice(("00-" + "a" * 32 + "-" + "b" * 16 + "-01", "00-0-0-0", marked, "ff" * 40)),
        "tracestate": rng.choice(("a=b", marked, "," * 600)),
        "accept": rng.choice(("*/*", "image/png", "application/json;q=0", marked, "\xff")),
        "accept-encoding": rng.choice(("gzip, br", "identity;q=0, *;q=0")),
        "content-encoding": rng.choice(("gzip", "identity", marked)),
        "cookie": f"name={marked}",
        "user-agent": rng.choice(("", marked, "${jndi:ldap://x}", "a" * 4000)),
        "referer": f"http://localhost/?name={marked}",
        "origin": f"https://{marked}.example",
        "forwarded": f"for={marked}",
        "x-forwarded-for": rng.choice(("10.0.0.1", marked, "::1, \xff")),
        "x-forwarded-proto": rng.choice(("https", marked)),
        "x-http-method-override": "DELETE",
        "host": rng.choice(("localhost", marked, "[::1]:80", "")),
        "authorization": rng.choice(("Basic YTpi", f"Bearer {marked}", "Bearer", "\xff")),
        "range": "bytes=0-1",
        "if-none-match": "*",
        "expect": "100-continue",
        "x-long": "a" * rng.choice((100, 8000, 16_000, 17_000)),
        marked.replace("%", ""): "1",
    }
    chosen = {key: pool[key] for key in rng.sample(list(pool), rng.choice((1, 2, 3, 8)))}
    if rng.random() < 0.05:
        chosen |= {"x-api-key": rng.choice(("", marked, "\xff" * 20))}
    method, target, body = rng.choice(
        (
            ("POST", "/get_prediction", _VALID),
            ("GET", "/v1/model", b""),
            ("GET", "/livez", b""),
            ("POST", "/v1/predict", b"{}"),
        )
    )
    if method == "POST":
        chosen["content-type"] = JSON
    return Exchange("headers", request(method, target, chosen, body), statuses=frozenset({200, 401, 422, 431}))


def _anywhere(rng: Random) -> Exchange:
    """Return any method on any path, or near one."""
    known = rng.choice((*_GETS, *_OTHERS))
    method = rng.choice(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MKCOL"))
    around = (f"{known}/", f"/{known}", known.upper(), f"{known}/../{MARKERS[0][:5]}", f"{known}%00", f"{known};a")
    near = known if rng.random() < 0.3 else rng.choice(around)
    query = quote(bodies.name(rng).encode("utf-8", "surrogatepass"))
    target = rng.choice((near, near, f"{near}?{query}", f"/{quote(MARKERS[2])}"))
    raw = request(method, target, {"content-type": JSON}, _VALID if rng.random() < 0.5 else b"")
    return Exchange("anywhere", raw, head=method == "HEAD", statuses=_PLAIN | {404, 405})


_KINDS: dict[Callable[[Random], Exchange], int] = {
    _compat: 18,
    _predict: 14,
    _explain: 7,
    _similar: 8,
    _infer: 15,
    _stream: 8,
    _file: 8,
    _headers: 8,
    _anywhere: 6,
    pipeline: 3,
    broken: 5,
}

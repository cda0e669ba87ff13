"""Requests that follow each other on one connection, and HTTP that was damaged on its way."""

from random import Random

import bodies
from markers import MARKERS
from wire import Exchange
from writing import JSON, MODEL, request

_VALID = b'{"name": "Jordan"}'
_PIECES = (
    (request("POST", "/get_prediction", {"content-type": JSON}, _VALID), 200),
    (request("POST", "/get_prediction", {"content-type": JSON}, b'{"name": ""}'), 422),
    (request("POST", "/get_prediction", {"content-type": JSON}, b'{"name": "%s' % MARKERS[0].encode()), 400),
    (request("POST", "/v1/predict", {"content-type": JSON}, b'{"names": ["%s"]}' % MARKERS[0].encode()), 200),
    (request("POST", "/v1/predict", {"content-type": JSON, "expect": "100-continue"}, b'{"names": []}'), 422),
    (request("POST", "/v1/explain", {"content-type": "text/plain"}, b"a"), 415),
    (request("GET", "/livez"), 200),
    (request("GET", f"/{MARKERS[0]}"), 404),
    (request("PUT", "/v1/predict", {}, b"a" * 5000), 405),
    (request("POST", "/v1/predict/stream", {"content-type": "application/x-ndjson"}, b'"Jordan"\n'), 200),
    (request("POST", "/v1/predict/file", {"content-type": "text/csv"}, b"surname\n"), 422),
    (request("GET", f"/v1/similar?name={MARKERS[0]}&n=0"), 422),
)


def pipeline(rng: Random) -> Exchange:
    """Return requests sent together on one connection: each is answered, in order."""
    chosen = [rng.choice(_PIECES) for _ in range(rng.choice((2, 3, 10)))]
    order = tuple(status for _, status in chosen)
    return Exchange("pipeline", b"".join(data for data, _ in chosen), due=len(chosen), order=order)


def broken(rng: Random) -> Exchange:
    """Return HTTP that was damaged on its way: any answers, or none."""
    whole = b"".join(rng.choice(_PIECES)[0] for _ in range(rng.choice((1, 1, 2))))
    if rng.random() < 0.3:
        body, json_size = bodies.tensor_body(rng)
        headers = {"content-type": JSON, "inference-header-content-length": str(json_size or 0)}
        whole = request("POST", f"{MODEL}/infer", headers, body, rng=rng)
    match rng.randrange(6):
        case 0:
            data = whole[: rng.randrange(len(whole))]
        case 1:
            data = rng.randbytes(rng.choice((1, 10, 100, 3000)))
        case 2:
            data = whole.replace(b"content-length: ", rng.choice(_LENGTHS), 1)
        case 3:
            end = rng.choice((b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b"\x00\r\n"))
            data = whole.replace(b"\r\n", end, rng.choice((1, 2, 99)))
        case _:
            data = bodies.damage(rng, whole)
    return Exchange("broken", data, due=None, leaves_after=None if rng.random() < 0.1 else 0.03)


_LENGTHS = (
    *(
        b"content-length: -",
        b"content-length: +",
        b"content-length: 0x",
        b"content-length: 9",
        b"content-length: 99999",
    ),
    *(b"content-length:\r\ncontent-length: ", b"content-length: 1\r\ncontent-length: ", b"content-length: 1, "),
    *(b"transfer-encoding: chunked\r\ncontent-length: ", b"transfer-encoding: identity, chunked\r\nx: "),
    *(b"transfer-encoding: gzip\r\nx: ", b"transfer-encoding : chunked\r\nx: ", b"transfer-encoding: chunked\r\nx: "),
)

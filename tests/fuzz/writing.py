"""Requests as they stand on the wire."""

from random import Random

from markers import MARKERS
from service import KEY

JSON = "application/json"
MODEL = "/v2/models/name-classifier"


def request(
    method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"", *, rng: Random | None = None
) -> bytes:
    """Return a whole request with the key; with `rng`, perhaps in chunks."""
    given = {"host": "localhost", "x-api-key": KEY, **(headers or {})}
    chunked = rng is not None and rng.random() < 0.2
    if chunked:
        given["transfer-encoding"] = "chunked"
    elif body or method == "POST":
        given.setdefault("content-length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    head = "\r\n".join(lines).encode("latin-1", "replace")
    return head + (_in_chunks(rng, body) if chunked and rng else body)


def _in_chunks(rng: Random, body: bytes) -> bytes:
    parts, start = [], 0
    while start < len(body):
        size = min(len(body) - start, rng.choice((1, 2, 7, 100, 5000, 10**6)))
        extension = rng.choice((b"", b"", b";a=b", b";" + MARKERS[0].encode()))
        parts.append(b"%x%s\r\n%s\r\n" % (size, extension, body[start : start + size]))
        start += size
    return b"".join(parts) + b"0\r\n" + rng.choice((b"", b"", b"x-trailer: a\r\n")) + b"\r\n"

"""What a request's head says about where the request ends, read as strictly as any proxy would."""

from collections.abc import Sequence

from api.context import Refusal

NOT_HTTP = Refusal(400, "The request is not valid HTTP.")
_HOST = Refusal(400, "A request needs one Host header.")
_ENCODING = Refusal(400, "The only transfer encoding is chunked, in HTTP/1.1.")
_UPGRADE = {b"upgrade", b"http2-settings"}

Headers = Sequence[tuple[bytes, bytes]]


def check_framing(url: bytes, version: str, headers: Headers) -> Refusal | None:
    """Return why a head is ambiguous, or None; names of headers are in lower case."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        return _HOST
    encodings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if encodings and (encodings != [b"chunked"] or version == "1.0"):
        return _ENCODING
    return None if url.isascii() else NOT_HTTP


def head_without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """Return a head as if no upgrade had been offered."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in headers:
        if name == b"connection":
            tokens = [token for token in value.split(b",") if token.strip().lower() not in _UPGRADE]
            lines += [b"connection:" + b",".join(tokens)] if tokens else []
        elif name not in _UPGRADE:
            lines.append(name + b":" + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"

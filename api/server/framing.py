"""What a request's head says about where the request ends, read as strictly as any proxy would."""

import re
from collections.abc import Sequence

import httptools

from api.context import Refusal

MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
"""Each takes over a hundred bytes of memory, however short it is."""
HEAD_TOO_LONG = Refusal(
    431, f"The head of a request may have at most {MAX_HEAD_BYTES} bytes and {MAX_HEADERS} headers."
)
NOT_HTTP = Refusal(400, "The request is not valid HTTP.")
_HOST = Refusal(400, "A request needs one valid Host header.")
_VERSION = Refusal(400, "The versions of HTTP that are spoken here are 1.0 and 1.1.")
_ENCODING = Refusal(400, "The only transfer encoding is chunked, in HTTP/1.1.")
_MAX_LENGTH_DIGITS = 19
_HOST_VALUE = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[\w:.]+\])(?::\d*)?")
_UPGRADE = {b"upgrade", b"http2-settings"}

Headers = Sequence[tuple[bytes, bytes]]


def trim(headers: list[tuple[bytes, bytes]]) -> None:
    """Take off the white space behind values, which the parser leaves."""
    for place, (name, value) in enumerate(headers):
        if value.endswith((b" ", b"\t")):
            headers[place] = name, value.rstrip(b" \t")


def holds_line(received: bytes, line: bytes, *, first: bool) -> bool:
    """Tell whether a request line was sent as it should be: the parser takes several spaces for one.

    Args:
        received: bytes that hold the head.
        line: the request line as it should be.
        first: whether the head begins with these bytes, else it stands behind another request.
    """
    if first:
        return received.lstrip(b"\r\n").startswith(line)
    return line in received and b"  HTTP/" not in received and line.partition(b" ")[0] + b"  " not in received


def has_path(url: bytes) -> bool:
    """Tell whether a target can be routed."""
    try:
        return bool(httptools.parse_url(url).path)
    except httptools.HttpParserError:
        return False


def check_framing(url: bytes, version: str, headers: Headers) -> Refusal | None:
    """Return why a head is too long or ambiguous, or None; the headers are trimmed, their names in lower case."""
    n_bytes, n_hosts = len(url), 0
    encodings = []
    for name, value in headers:
        n_bytes += len(name) + len(value)
        if name == b"host":
            n_hosts += 1 if _HOST_VALUE.fullmatch(value) else 2
        elif name == b"transfer-encoding":
            encodings.append(value.lower())
        elif name == b"content-length" and not (value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS):
            return NOT_HTTP
    if n_bytes > MAX_HEAD_BYTES or len(headers) > MAX_HEADERS:
        return HEAD_TOO_LONG
    if version not in ("1.0", "1.1"):
        return _VERSION
    if n_hosts > 1 or (version == "1.1" and not n_hosts):
        return _HOST
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

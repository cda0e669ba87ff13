"""What every answer's head holds, and header lines for what is written without an ASGI server. Knows no request."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable

from fastapi.openapi.docs import get_swagger_ui_html

DOCS_PATH = "/docs"
OPENAPI_PATH = "/openapi.json"

Header = tuple[bytes, bytes]


def header_lines(headers: Iterable[Header]) -> bytes:
    """Return headers as they stand on the wire."""
    return b"".join(b"%s: %s\r\n" % header for header in headers)


def _docs_policy() -> str:
    """Return the policy of the page that FastAPI makes: its one script, and Swagger UI from its CDN."""
    page = get_swagger_ui_html(openapi_url=OPENAPI_PATH, title="").body
    (script,) = re.findall(rb"<script>(.*?)</script>", bytes(page), re.DOTALL)
    script_hash = b64encode(hashlib.sha256(script).digest()).decode()
    return (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"script-src https://cdn.jsdelivr.net 'sha256-{script_hash}'; "
        "style-src https://cdn.jsdelivr.net 'unsafe-inline'; img-src https://fastapi.tiangolo.com data:"
    )


_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
SECURITY_HEADERS = (*_HEADERS, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"))
_DOCS_HEADERS = (*_HEADERS, (b"content-security-policy", _docs_policy().encode()))


def security_headers(path: str) -> tuple[Header, ...]:
    """Return what every answer carries."""
    return _DOCS_HEADERS if path == DOCS_PATH else SECURITY_HEADERS

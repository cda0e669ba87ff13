"""Headers that tell browsers what a response may do."""

from collections.abc import Sequence

Header = tuple[bytes, bytes]

_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_CACHE = (b"cache-control", b"no-store")
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def with_security_headers(headers: Sequence[Header]) -> list[Header]:
    """Return response headers with what every response carries; a route may set a policy or caching of its own."""
    names = {name for name, _ in headers}
    defaults = [header for header in (_POLICY, _CACHE) if header[0] not in names]
    return [*headers, *_ALWAYS, *defaults]

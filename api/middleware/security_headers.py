"""Headers that tell browsers what a response may do."""

Header = tuple[bytes, bytes]

SECURITY_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


def with_security_headers(headers: list[Header]) -> list[Header]:
    """Return the headers of a response and those security headers that it does not set itself."""
    names = {name for name, _ in headers}
    return headers + [header for header in SECURITY_HEADERS if header[0] not in names]

"""The URL of the request log's database, as operators write it."""

import re

_POSTGRESQL = re.compile(r"postgresql\+psycopg://([^:@/?#]*(:[^:@/?#]*)?@)?[^@/?#]*(/[^@?#]*(\?[^@#]*)?)?")
"""Strict about what a password may hold: one that splits elsewhere would be quoted as a host by others' errors."""
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})|%00")
"""libpq quotes the first of these, and ends the text at the other."""


def check_database_url(url: str) -> str:
    """Return a URL of PostgreSQL that is well formed.

    Raises:
        ValueError: it is not; the message quotes nothing of it.
    """
    if not _POSTGRESQL.fullmatch(url) or _BAD_ESCAPE.search(url):
        raise ValueError("postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE is wanted, special characters as %40")
    return url

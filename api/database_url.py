"""The URL of the request log's database, as operators write it."""

import re

_POSTGRESQL = re.compile(r"postgresql\+psycopg://([^:@/?#]*(:[^:@/?#]*)?@)?[^@/?#]*(/[^@?#]*(\?[^@#]*)?)?")
"""Strict about what a password may hold: one that splits elsewhere would be quoted as a host by others' errors."""


def check_database_url(url: str) -> str:
    """Return a URL of PostgreSQL that is well formed.

    Raises:
        ValueError: it is not; the message quotes nothing of it.
    """
    if not _POSTGRESQL.fullmatch(url):
        raise ValueError("postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE is wanted, special characters as %40")
    return url

"""Engines for SQLite and PostgreSQL, and what goes wrong with them as one sentence."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api.request_log.errors import RequestLogError

BUSY_SECONDS = 60
"""How long a command waits for others who write to the same SQLite file."""
_CONNECT_SECONDS = 10
_POSTGRESQL_URL = re.compile(r"postgresql\+psycopg://([^:@/?#]*(:[^:@/?#]*)?@)?[^@/?#]*(/[^@?#]*(\?[^@#]*)?)?")
"""Strict about what a password may hold: one that splits elsewhere would be quoted as a host by others' errors."""


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def check_postgresql_url(url: str) -> str:
    """Return a URL that is well formed.

    Raises:
        ValueError: it is not; the message quotes nothing of it.
    """
    if not _POSTGRESQL_URL.fullmatch(url):
        raise ValueError("postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE is wanted, special characters as %40")
    try:
        make_url(url)
    except (SQLAlchemyError, ValueError):
        raise ValueError("the URL cannot be read") from None
    return url


def open_engine(url: str) -> Engine:
    """Return an engine for a URL; every transaction on SQLite is one that writes.

    Raises:
        RequestLogError: the URL is not well formed.
    """
    if not url.startswith("sqlite:"):
        try:
            check_postgresql_url(url)
        except ValueError as error:
            raise RequestLogError(f"The URL of the database: {error}.") from None
        connect = {"connect_timeout": _CONNECT_SECONDS, "application_name": "request_log"}
        return create_engine(url, poolclass=NullPool, connect_args=connect)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _: Any) -> None:  # noqa: ANN401 - SQLAlchemy's record
    connection.isolation_level = None  # SQLAlchemy says when a transaction begins, not Python
    connection.execute("PRAGMA secure_delete = ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def create_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read, and its folder, where they are missing.

    Raises:
        RequestLogError: that is not possible.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise RequestLogError(f"{path} cannot be written: {error.strerror}.") from None


@contextmanager
def explained_errors(place: str) -> Iterator[None]:
    """Turn what a database raises into a RequestLogError that names the place; values of rows are never in it."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).split("\n", 1)[0]
        raise RequestLogError(f"{place}: {reason.strip().rstrip('.')}.") from None
    except SQLAlchemyError as error:
        raise RequestLogError(f"{place}: {type(error).__name__}.") from None

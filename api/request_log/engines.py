"""Engines for SQLite and PostgreSQL, and what goes wrong with them as one sentence."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api.database_url import check_database_url
from api.request_log.errors import RequestLogError
from api.request_log.schema import explain_encoding

BUSY_SECONDS = 60
"""How long a command waits for others who write to the same SQLite file."""
_CONNECT_SECONDS = 10


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def check_postgresql_url(url: str) -> str:
    """Return a URL that SQLAlchemy can read.

    Raises:
        ValueError: it cannot; the message quotes nothing of it.
    """
    check_database_url(url)
    try:
        make_url(url)
    except (SQLAlchemyError, ValueError):
        raise ValueError("the URL cannot be read") from None
    return url


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for another database."""
    target = make_url(url) if url.startswith("sqlite:") else None
    return Path(target.database) if target and target.database else None


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """Return an engine for a URL; on SQLite a transaction locks out other writers unless it only reads.

    Raises:
        RequestLogError: the URL is not well formed.
    """
    if not url.startswith("sqlite:"):
        try:
            check_postgresql_url(url)
        except ValueError as error:
            raise RequestLogError(f"The URL of the database: {error}.") from None
        connect = {"connect_timeout": _CONNECT_SECONDS, "application_name": "request_log", "client_encoding": "utf8"}
        return create_engine(url, poolclass=NullPool, connect_args=connect)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _: Any) -> None:  # noqa: ANN401 - SQLAlchemy's record
    connection.isolation_level = None  # SQLAlchemy says when a transaction begins, not Python
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")  # in a container there may be no other place to write


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
def explained_errors(url: str) -> Iterator[None]:
    """Turn what a database raises into a RequestLogError that names the database; values of rows are never in it."""
    place = sqlite_file(url) or "PostgreSQL"
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).split("\n", 1)[0]
        raise RequestLogError(f"{place}: {reason.strip().rstrip('.')}.") from None
    except SQLAlchemyError as error:
        raise RequestLogError(f"{place}: {type(error).__name__}.") from None


def check_encoding(connection: Connection) -> None:
    """Raise RequestLogError unless a database can hold names of every script."""
    if connection.dialect.name == "postgresql" and (
        problem := explain_encoding(connection.exec_driver_sql("SHOW server_encoding").scalar_one())
    ):
        raise RequestLogError(problem)


def truncate_wal(connection: Connection) -> None:
    """Empty the write-ahead log of an SQLite file, which holds older states of its pages, outside a transaction.

    Raises:
        RequestLogError: a reader holds it for too long.
    """
    connection.commit()
    (busy, *_) = sqlite_driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise RequestLogError("A reader holds the write-ahead log, where what was deleted still stands: try once more.")


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Return Python's own connection, for statements that take no transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver

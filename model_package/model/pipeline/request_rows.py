"""Which version answered a request, by the rows that the service logs: in its SQLite outbox, then in PostgreSQL."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import TraceError

_QUERY = (
    "SELECT model_version, route, min(answered_at), count(*) FROM prediction_request "
    "WHERE request_id = {} AND model_version IS NOT NULL GROUP BY model_version, route ORDER BY 3"
)
_CONNECT_SECONDS = 10
_BUSY_SECONDS = 10


@dataclass(frozen=True)
class Answered:
    """The items of a request that one version answered on one route, and when the first of them was, in UTC."""

    version: str
    route: str
    answered_at: str
    items: int


def find_answered(request_id: str, outbox: Path, database: str | None) -> list[Answered]:
    """Return what answered a request; rows that were shipped are in the database, the latest ones in the outbox.

    Raises:
        TraceError: there is no log, it cannot be read, or it does not hold the request.
    """
    if not (outbox.is_file() or database):
        raise TraceError(f"There is no request log at {outbox}; name its file with --outbox, or a database.")
    if not request_id.isprintable():
        raise TraceError("The ID holds what no request's does: control characters, or bytes that are no UTF-8.")
    rows = _query_sqlite(outbox, request_id) if outbox.is_file() else []
    if not rows and database:
        rows = _query_postgresql(database, request_id)
    if not rows:
        places = " and ".join([*([str(outbox)] if outbox.is_file() else []), *(["the database"] if database else [])])
        raise TraceError(f"No answered item of this request is in {places}.")
    return [Answered(version, route, str(at), items) for version, route, at, items in rows]


def _query_sqlite(file: Path, request_id: str) -> Sequence[tuple[Any, ...]]:
    uri = f"{file.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection:
            return connection.execute(_QUERY.format("?"), (request_id,)).fetchall()
    except sqlite3.Error as error:
        raise TraceError(f"{file} cannot be read: {error}.") from None


def _query_postgresql(url: str, request_id: str) -> Sequence[tuple[Any, ...]]:
    try:
        import psycopg
    except ImportError:
        raise TraceError(
            "PostgreSQL needs psycopg, which is not installed: run `pip install 'psycopg[binary]'`."
        ) from None
    conninfo = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        with psycopg.connect(conninfo, connect_timeout=_CONNECT_SECONDS) as connection:
            return connection.execute(_QUERY.format("%s"), (request_id,)).fetchall()
    except psycopg.Error as error:
        raise TraceError(f"PostgreSQL cannot be read ({type(error).__name__}).") from None

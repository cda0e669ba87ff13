"""retain: delete what is older than a number of days."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.request_log.commands.places import read_places
from api.request_log.errors import RequestLogError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from api.request_log.partitions import Month

_CHUNK = 5_000
"""Rows deleted in one transaction: it holds up the service's writer for some hundredths of a second."""
_PAGES = 1_000
_MAX_DAYS = 36_500
_PARTITIONS = """
SELECT relname, CASE inhdetachpending WHEN true THEN 'FINALIZE' WHEN false THEN 'CONCURRENTLY' ELSE '' END
FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid
WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'prediction_request'::regclass)
"""


def retain(
    *,
    days: Annotated[int, typer.Option(min=0, max=_MAX_DAYS, help="Days of requests, and of erasures, that are kept.")],
    feedback_days: Annotated[
        int | None, typer.Option(min=0, max=_MAX_DAYS, help="Days of feedback that are kept; all if left out.")
    ] = None,
) -> None:
    """Delete old rows: PostgreSQL drops whole months and deletes the rest of one, SQLite deletes in small steps."""
    from api.request_log.commands.connecting import connected
    from api.request_log.tables import feedback, prediction_request

    now = datetime.now(UTC)
    limit = now - timedelta(days=days)
    with connected(read_places().url) as connection, _only(connection):
        for month in _drop_months(connection, limit):
            typer.echo(f"Dropped {month.partition}.")
        typer.echo(f"Deleted {_delete_before(connection, prediction_request, limit)} rows of prediction_request.")
        if feedback_days is not None:
            n_rows = _delete_before(connection, feedback, now - timedelta(days=feedback_days))
            typer.echo(f"Deleted {n_rows} rows of feedback.")
        _delete_erasures(connection, limit)
        if connection.dialect.name == "sqlite":
            _give_back_pages(connection)


@contextmanager
def _only(connection: "Connection") -> Iterator[None]:
    """Keep a second run away from PostgreSQL, where every statement now is a transaction of its own."""
    from sqlalchemy import func, select

    from api.request_log.schema import RETENTION_LOCK

    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(select(func.pg_try_advisory_lock(RETENTION_LOCK))):  # it ends with the connection
            raise RequestLogError("Another `retain` is at work on this database.")
        connection.commit()
    yield


def _drop_months(connection: "Connection", limit: datetime) -> "Iterator[Month]":
    """Drop the partitions that end before a time, and yield their months; SQLite has none.

    They are detached first, beside whoever reads or writes other months: a plain drop would wait for every reader of
    the table, and hold up everybody else meanwhile.
    """
    if connection.dialect.name != "postgresql":
        return
    for month, detach in _partitions(connection):
        if month.following().start <= limit:
            if detach:
                connection.exec_driver_sql(
                    f"ALTER TABLE prediction_request DETACH PARTITION {month.partition} {detach}"
                )
            connection.exec_driver_sql(f"DROP TABLE {month.partition}")
            yield month
    connection.commit()


def _partitions(connection: "Connection") -> "list[tuple[Month, str]]":
    """Return each month that has a table, with how it is detached: not at all if an interrupted run has done it."""
    from api.request_log.partitions import Month

    rows = connection.exec_driver_sql(_PARTITIONS)
    months = [(Month.of_partition(table), detach) for table, detach in rows]
    return sorted((month, detach) for month, detach in months if month)


def _delete_before(connection: "Connection", table: "Table", limit: datetime) -> int:
    """Delete the rows whose id is of an earlier time, in chunks; return how many there were."""
    from sqlalchemy import delete, select

    from api.request_log.identifiers import lower_bound

    identifier, lowest, n_rows = table.c.id, UUID(int=0), 0
    while True:
        with connection.begin():
            old = (identifier >= lowest, identifier < lower_bound(limit))
            last = connection.scalar(select(identifier).where(*old).order_by(identifier).offset(_CHUNK - 1).limit(1))
            chunk = old if last is None else (identifier >= lowest, identifier <= last)
            n_rows += connection.execute(delete(table).where(*chunk)).rowcount
        if last is None:
            return n_rows
        lowest = last


def _delete_erasures(connection: "Connection", limit: datetime) -> None:
    """Delete those that no outbox can still need: its rows from before them are as old."""
    from sqlalchemy import delete

    from api.request_log.tables import erasure

    with connection.begin():
        connection.execute(delete(erasure).where(erasure.c.erased_at < limit))


def _give_back_pages(connection: "Connection") -> None:
    """Make the SQLite file smaller by its free pages, in steps between which others can write."""
    from api.request_log.engines import sqlite_driver, truncate_wal

    driver = sqlite_driver(connection)
    (n_free,) = driver.execute("PRAGMA freelist_count").fetchone()
    for _ in range(0, n_free, _PAGES):
        driver.executescript(f"PRAGMA incremental_vacuum({_PAGES})")  # execute() would free a single page
    truncate_wal(connection)

"""Counts of the request log; of a large table in PostgreSQL, estimates from a sample of its pages."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, Select, func, select, tablesample

from api.request_log.engines import sqlite_driver
from api.request_log.identifiers import time_of
from api.request_log.tables import erasure, feedback, prediction_request

_SAMPLED_BYTES = 128 * 1024 * 1024
"""About as much is read of a larger table."""
_ANSWERED = 200
_SIZES = """
SELECT coalesce(sum(pg_relation_size(relid)), 0), coalesce(sum(pg_total_relation_size(relid)), 0)
FROM pg_partition_tree('prediction_request')
"""


class Summary(BaseModel):
    """What `stats` prints; the counts of items are estimates where less than the whole table was read."""

    share_read: float
    items: int
    answered: int
    abstained: int
    by: dict[str, dict[str, int]]
    oldest: datetime | None
    newest: datetime | None
    feedback: int
    erasures: int
    bytes: int
    waiting: int | None = None
    """Items in the local outbox, None if there is none beside the database."""


def summarise(connection: Connection, *, exact: bool) -> Summary:
    """Return the summary of a database, from one pass over it or over a sample."""
    n_table_bytes, n_bytes = _sizes(connection)
    share = 1.0 if exact else min(1.0, _SAMPLED_BYTES / max(n_table_bytes, 1))
    if connection.dialect.name == "sqlite":
        share = 1.0
    groups = connection.execute(_grouped(connection.dialect.name, share)).mappings().all()
    answered = [group for group in groups if group["status"] == _ANSWERED]
    return Summary(
        share_read=share,
        items=_total(groups, share),
        answered=_total(answered, share),
        abstained=_total((group for group in answered if group["abstained"]), share),
        by={
            dimension: _totals(groups, dimension, share) for dimension in ("day", "route", "status", "label", "version")
        },
        oldest=_time_at_end(connection, prediction_request.c.id.asc()),
        newest=_time_at_end(connection, prediction_request.c.id.desc()),
        feedback=count(connection, feedback),
        erasures=count(connection, erasure),
        bytes=n_bytes,
    )


def count(connection: Connection, table: FromClause) -> int:
    """Return the exact number of rows of a table."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _grouped(dialect: str, share: float) -> Select[Any]:
    """Count items by everything at once."""
    sampled = tablesample(prediction_request, func.system(100 * share)) if share < 1 else prediction_request
    columns = sampled.c
    day: ColumnElement[Any] = func.substr(columns.answered_at, 1, len("2026-11-30"))
    if dialect == "postgresql":
        day = func.to_char(func.timezone("UTC", columns.answered_at), "YYYY-MM-DD")
    dimensions = {
        "day": day,
        "route": columns.route,
        "status": columns.status,
        "label": columns.labels[0].as_string(),
        "version": columns.model_version,
        "abstained": columns.abstained.is_not(None),
    }
    named = [column.label(name) for name, column in dimensions.items()]
    return select(*named, func.count().label("n")).group_by(*named)


def _total(groups: Iterable[RowMapping], share: float) -> int:
    return round(sum(int(group["n"]) for group in groups) / share)


def _totals(groups: Iterable[RowMapping], dimension: str, share: float) -> dict[str, int]:
    """Return the counts of what there is, days in order, all else by how frequent it is."""
    counts: Counter[str] = Counter()
    for group in groups:
        if group[dimension] is not None:
            counts[str(group[dimension])] += group["n"]
    ordered = sorted(counts.items()) if dimension == "day" else counts.most_common()
    return {value: round(n / share) for value, n in ordered}


def _time_at_end(connection: Connection, order: ColumnElement[Any]) -> datetime | None:
    identifier = connection.scalar(select(prediction_request.c.id).order_by(order).limit(1))
    return time_of(identifier) if identifier else None


def _sizes(connection: Connection) -> tuple[int, int]:
    """Return the bytes of the table alone, and of everything around it."""
    if connection.dialect.name == "postgresql":
        alone, whole = connection.exec_driver_sql(_SIZES).one()
        return int(alone), int(whole)
    pages, size = (
        sqlite_driver(connection).execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    return pages * size, pages * size

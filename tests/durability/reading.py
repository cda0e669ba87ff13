"""What the trials read: rows of both databases, figures of a running service, sizes of files."""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import psycopg

from api.request_log.outbox_file import FILE
from tests.attack.service import Service

_COLUMNS = "request_id, item_index"


def outbox_rows(directory: Path, prefix: str = "") -> Iterator[tuple[str, int | None]]:
    """Yield request id and index of the rows in an outbox whose request ids begin with a prefix."""
    with closing(sqlite3.connect(directory / FILE)) as connection:
        query = f"SELECT {_COLUMNS} FROM prediction_request WHERE request_id >= ? AND request_id < ?"
        yield from connection.execute(query, (prefix, f"{prefix}~"))


def database_rows(conninfo: str, prefix: str = "") -> Iterator[tuple[str, int | None]]:
    """Yield request id and index of the rows in PostgreSQL whose request ids begin with a prefix."""
    with psycopg.connect(conninfo) as connection, connection.cursor("rows") as cursor:
        cursor.itersize = 10_000
        cursor.execute(f"SELECT {_COLUMNS} FROM prediction_request WHERE starts_with(request_id, %s)", (prefix,))
        yield from cursor


def metric(service: Service, line_start: str) -> float:
    """Return the sum of the metrics whose line starts so. Raises OSError if the service does not answer."""
    lines = service.get("/metrics").decode().splitlines()
    return math.fsum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(line_start))


def size_mib(directory: Path) -> float:
    """Return the size of a folder's files in MiB."""
    size = 0
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size / 2**20


def percentiles(seconds: Sequence[float]) -> str:
    """Return the median and the 99th percentile in milliseconds."""
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    points = (f"p{p} {1000 * ordered[math.ceil(len(ordered) * p / 100) - 1]:.1f}" for p in (50, 99))
    return f"{', '.join(points)}, longest {1000 * ordered[-1]:.0f} ms"

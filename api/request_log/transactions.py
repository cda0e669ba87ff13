"""What is done to the file of the outbox, each in one transaction."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import msgspec

from api.request_log.loss import dead_writers
from api.request_log.rows import TABLES, Row, Table

_STATEMENT_ROWS = (512, 64, 8, 1)
_ROOM_BYTES = 256 * 1024
_LOST = "lost"
"""In the place of a writer's id: rows that writers before this one lost."""
_encode = msgspec.json.Encoder().encode


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def insert_rows(connection: sqlite3.Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, many by one statement: Python takes its lock again after each, and the event loop has it by then."""
    start = 0
    while start < len(rows):
        n_rows = next(size for size in _STATEMENT_ROWS if size <= len(rows) - start)
        values = list(chain.from_iterable(rows[start : start + n_rows]))
        connection.execute(table.insert(n_rows), values)
        start += n_rows


def settle(connection: sqlite3.Connection, writer: str, n_rows: int) -> None:
    """Note how many of the rows that a writer has promised need not be looked for after a kill."""
    connection.execute("INSERT OR REPLACE INTO outbox_writer VALUES (?, ?)", (writer, n_rows))


def delete_rows(connection: sqlite3.Connection, table: str, ids: Sequence[str]) -> int:
    """Delete rows, by one statement as above; return their number."""
    statement = f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
    with transaction(connection):
        return connection.execute(statement, (_encode(ids).decode(),)).rowcount


def try_room(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.Error unless the file has room for another commit."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        settle(connection, "x" * _ROOM_BYTES, 0)
    finally:
        if connection.in_transaction:  # SQLite may have ended it
            connection.execute("ROLLBACK")


def count_rows(connection: sqlite3.Connection) -> int:
    """Return the number of rows in all tables."""
    counts = [f"(SELECT count(*) FROM {table.name})" for table in TABLES]  # noqa: S608
    n_rows: int = connection.execute(f"SELECT {' + '.join(counts)}").fetchone()[0]
    return n_rows


def take_losses(connection: sqlite3.Connection, directory: Path) -> tuple[int, int]:
    """Add what dead processes had promised and not committed to the file's own total; safe to be killed in.

    Returns:
        The total, and what was added to it.
    """
    committed = dict(connection.execute("SELECT id, n_rows FROM outbox_writer"))
    dead = {writer: (n_promised, path) for writer, n_promised, path in dead_writers(directory)}
    n_lost = sum(max(0, n_promised - committed.get(writer, 0)) for writer, (n_promised, _) in dead.items())
    total: int = committed.pop(_LOST, 0) + n_lost
    with transaction(connection):
        for writer, (n_promised, _) in dead.items():
            settle(connection, writer, n_promised)
        settle(connection, _LOST, total)
    for _, path in dead.values():
        path.unlink(missing_ok=True)
    connection.executemany("DELETE FROM outbox_writer WHERE id = ?", [(writer,) for writer in dead])
    return total, n_lost

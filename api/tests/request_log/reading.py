"""What tests read back of an outbox, and servers that write one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from api.request_log.outbox_file import FILE
from api.tests.conftest import Server, start, stop


def read_rows(directory: Path, table: str = "prediction_request") -> list[dict[str, Any]]:
    """Return the rows of an outbox, in the order in which they were made."""
    if not (directory / FILE).exists():
        return []
    with closing(sqlite3.connect(directory / FILE)) as connection:
        connection.row_factory = sqlite3.Row
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            return []
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY id, item_index")]


@contextmanager
def running(bundle: Path, directory: Path, mode: str = "strict", **settings: str) -> Iterator[Server]:
    """Run a service that records in a folder."""
    server = start(bundle, directory.with_suffix(".log"), REQUEST_LOG=mode, REQUEST_LOG_DIR=str(directory), **settings)
    try:
        yield server
    finally:
        stop(server)

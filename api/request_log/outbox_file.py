"""The SQLite file of the outbox: opened at the newest revision, set aside if it is broken."""

import logging
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from api.request_log.errors import RequestLogError
from api.request_log.schema import CURRENT_REVISION_QUERY, HEAD, REVISION_TABLE

logger = logging.getLogger("api")

FILE = "request_log.sqlite"
BUSY_SECONDS = 10.0
"""How long one process waits for another that writes to the file."""
_JOURNAL_BYTES = 16 * 1024 * 1024
_SHRUNK_PAGES = 256
"""Unused pages that are given back at once."""
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY_CODE = 0xFF
_MIGRATE = "import sys; from api.request_log.migrating import migrate; migrate(sys.argv[1])"
_ERROR_NAME = f"{RequestLogError.__module__}.{RequestLogError.__qualname__}: "
"""How a traceback, of which the last line is shown, begins with what the migration raises."""
_ROOT = Path(__file__).parents[2]


class OutboxFileError(Exception):
    """The file cannot be made ready."""


def is_broken(error: Exception) -> bool:
    """Tell whether an error of SQLite means that the file is damaged."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE in _BROKEN


def is_full(error: Exception) -> bool:
    """Tell whether an error of SQLite means that it has no room."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def empty_journal(connection: sqlite3.Connection) -> None:
    """Move the journal's pages into the file, and give its room back to the disk; not while others read."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def shrink(connection: sqlite3.Connection) -> None:
    """Give some unused pages, and the journal's room, back to the disk."""
    connection.execute(f"PRAGMA incremental_vacuum({_SHRUNK_PAGES})").fetchall()
    empty_journal(connection)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file with transactions begun by hand; what is deleted is overwritten with zeros."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")  # in a container there may be no other place to write
    return connection


def open_for_writing(path: Path, *, durable: bool, max_bytes: int) -> sqlite3.Connection:
    """Return a connection to the file at the newest revision.

    Args:
        path: of the file; it is made if there is none.
        durable: whether a commit survives a power failure, and not only the end of the process.
        max_bytes: size beyond which SQLite says that the disk is full.

    Raises:
        OutboxFileError: it cannot be brought to the newest revision.
        sqlite3.Error: it cannot be opened; `is_broken` tells whether it is damaged.
    """
    path.touch(mode=0o600)  # it may hold names
    connection = connect(path)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there is a table
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute(f"PRAGMA max_page_count = {max(max_bytes // page_size, 1)}")
        _check(connection)
        if revision_of(connection) != HEAD:
            _migrate(path)
    except BaseException:
        connection.close()
        raise
    return connection


def revision_of(connection: sqlite3.Connection) -> str | None:
    """Return the revision of the file's schema, or None if it has none."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (REVISION_TABLE,)).fetchone():
        return None
    row = connection.execute(CURRENT_REVISION_QUERY).fetchone()
    return row[0] if row else None


def set_aside(path: Path) -> Path:
    """Rename the file and its journal, so that a new one can begin beside it; return its new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = path.with_name(f"{path.name}.broken-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(target.with_name(target.name + suffix))
    return target


def _check(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if the file is damaged."""
    (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        error = sqlite3.DatabaseError("the file is damaged")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _migrate(path: Path) -> None:
    """Bring the file to the newest revision, in a process of its own: Alembic would stay in memory for good."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)])}
    command = [sys.executable, "-c", _MIGRATE, f"sqlite:///{path.resolve()}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OutboxFileError(f"the file cannot be migrated: {reason.removeprefix(_ERROR_NAME)}")

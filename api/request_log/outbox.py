"""The outbox: rows to a local SQLite file, committed in groups by one thread off the event loop."""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import chain, groupby
from pathlib import Path
from threading import Event, Thread

from api.errors import RequestLogFullError
from api.request_log.log_metrics import RequestLogMetrics
from api.request_log.loss import AcceptedRows, dead_writers
from api.request_log.names import NameKeeper
from api.request_log.outbox_file import FILE, empty_journal, is_broken, is_full, open_for_writing, set_aside, shrink
from api.request_log.reserve import Reserve
from api.request_log.rows import TABLES, Entry, Row, Table

logger = logging.getLogger("api")

_GATHER_SECONDS = 0.05
"""Rows of so much time share a commit, where no answer waits for it."""
_RETRY_SECONDS = 0.5
_MAX_GROUP = 5_000
"""Rows of one commit."""
_MAX_GROUP_WHILE_FAILING = 500
_STATEMENT_ROWS = (512, 64, 8, 1)
_DELETED_ROWS_WHILE_FULL = 50
"""Rows that are deleted at once where the disk has no more room than the reserve."""
_MAX_QUEUED = 10_000
"""Rows in memory; who adds more waits for a commit."""
_LOST = "lost"
"""In the place of a writer's id: rows that writers before this one lost."""

_Waiter = asyncio.Future[None]
_Queued = tuple[Entry, _Waiter | None]


class Outbox:
    """Takes entries on the event loop and writes their rows in a thread that survives whatever the disk does."""

    def __init__(
        self,
        directory: Path,
        keeper: NameKeeper,
        metrics: RequestLogMetrics,
        *,
        strict: bool,
        refuse: bool,
        max_bytes: int,
    ) -> None:
        """Make the folder and the count of accepted rows in it.

        Args:
            directory: of the file.
            keeper: what is kept of a name.
            metrics: what is told of rows, commits and errors.
            strict: whether `put` waits for the commit.
            refuse: while nothing can be written: refuse entries, instead of skipping what memory has no room for.
            max_bytes: size of the file beyond which nothing can be written.

        Raises:
            OSError: the folder cannot be written to.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = directory / FILE
        self._keeper = keeper
        self._metrics = metrics
        self._strict = strict
        self._refuse = refuse
        self._max_bytes = max_bytes
        self._reserve = Reserve(directory)
        self._accepted = self._count_accepted(directory)
        self._n_settled = 0  # of the accepted rows: committed, or given up with whoever waited for them
        self._queue: deque[_Queued] = deque()
        self._group: list[_Queued] = []
        self._deletions: deque[tuple[str, Sequence[str], Future[None]]] = deque()
        self._connection: sqlite3.Connection | None = None
        self._failing = False
        self._closing = False
        self._wake = Event()
        self._thread = Thread(target=self._run, name="request-log", daemon=True)

    @property
    def n_pending(self) -> int:
        """Rows that are accepted and not yet settled."""
        return self._accepted.total - self._n_settled

    @property
    def is_open(self) -> bool:
        """Whether the file is there, at the newest revision."""
        return self._connection is not None

    def start(self) -> None:
        """Begin to write."""
        self._wake.set()  # to open the file before the first row
        self._thread.start()

    async def put(self, entry: Entry) -> None:
        """Take an entry; return when the settings call it safe.

        Raises:
            RequestLogFullError: nothing can be written, and such entries are refused.
        """
        if not self._admits(entry):
            return
        crowded = self.n_pending > _MAX_QUEUED
        waiter = asyncio.get_running_loop().create_future() if self._strict or crowded else None
        self._enqueue(entry, waiter)
        if waiter:
            await waiter

    def put_nowait(self, entry: Entry) -> None:
        """Take an entry, or skip it where there is no room for it; never waits."""
        if self.n_pending > _MAX_QUEUED or (self._failing and self._refuse):
            self._metrics.skipped.inc(entry.n_rows)
        else:
            self._enqueue(entry, None)

    def delete(self, table: str, ids: Sequence[str]) -> "Future[None]":
        """Return what is done when rows are deleted."""
        done: Future[None] = Future()
        self._deletions.append((table, ids, done))
        self._wake.set()
        return done

    def close(self, timeout: float) -> None:
        """Write what waits, for `timeout` seconds at most; the next start counts as lost what then still waits."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        n_left = self.n_pending
        if n_left:
            logger.error("request log: rows were not written", extra={"rows": n_left})
        self._accepted.close(settled=not n_left)

    def _count_accepted(self, directory: Path) -> AcceptedRows:
        try:
            return AcceptedRows(directory)
        except OSError:
            if not self._reserve.release():
                raise
        return AcceptedRows(directory)

    def _admits(self, entry: Entry) -> bool:
        """Tell whether an entry may be queued; one that may not is counted. Raises RequestLogFullError."""
        if not self._failing:
            return True
        if self._refuse:
            self._metrics.refused.inc()
            raise RequestLogFullError
        if self.n_pending + entry.n_rows <= _MAX_QUEUED:
            return True
        self._metrics.skipped.inc(entry.n_rows)
        return False

    def _enqueue(self, entry: Entry, waiter: _Waiter | None) -> None:
        self._accepted.add(entry.n_rows)
        self._queue.append((entry, waiter))
        if not self._wake.is_set():
            self._wake.set()

    # --- below, the writer's thread

    def _run(self) -> None:
        while not (self._closing and self._is_idle()):
            self._wake.wait(_RETRY_SECONDS if self._failing else None)
            if not self._strict and not self._closing:
                time.sleep(_GATHER_SECONDS)
            self._wake.clear()
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 - whatever it is, this must never end
                self._fail(error)
                if self._closing:  # once more would take as long as the disk likes
                    break
                time.sleep(_GATHER_SECONDS)
        self._disconnect()

    def _is_idle(self) -> bool:
        return not (self._queue or self._deletions)

    def _write(self) -> None:
        """Delete what may go, then commit what waits, a group at a time."""
        connection = self._connection or self._connect()
        while self._deletions:
            self._delete(connection, *self._deletions[0])
            self._deletions.popleft()
        if self._failing:
            empty_journal(connection)
        if not self._reserve.is_taken:
            shrink(connection)  # for the room that it needs, if the disk was full
            self._reserve.take()
        most = _MAX_GROUP_WHILE_FAILING if self._failing else _MAX_GROUP
        while self._take_group(most) or self._failing:  # an empty commit tells whether there is room again
            self._commit(connection)

    def _take_group(self, most: int) -> bool:
        n_rows = 0
        while self._queue and (not n_rows or n_rows + self._queue[0][0].n_rows <= most):
            self._group.append(self._queue.popleft())
            n_rows += self._group[-1][0].n_rows
        return bool(self._group)

    def _commit(self, connection: sqlite3.Connection) -> None:
        started = time.perf_counter()
        n_rows = 0
        connection.execute("BEGIN IMMEDIATE")
        try:
            for table, queued in groupby(self._group, lambda queued: queued[0].table):
                rows = [row for entry, _ in queued for row in entry.rows(self._keeper)]
                _insert(connection, table, rows)
                n_rows += len(rows)
            total = self._n_settled + n_rows
            connection.execute("INSERT OR REPLACE INTO outbox_writer VALUES (?, ?)", (self._accepted.writer, total))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._metrics.commit_seconds.observe(time.perf_counter() - started)
        self._metrics.written.inc(n_rows)
        self._metrics.n_outbox_rows += n_rows
        self._recover()
        group, self._group = self._group, []
        self._n_settled = total
        _resolve(group, None)

    def _delete(self, connection: sqlite3.Connection, table: str, ids: Sequence[str], done: "Future[None]") -> None:
        if done.cancelled():
            return
        try:
            self._metrics.n_outbox_rows -= _delete_rows(connection, table, ids)
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            self._delete_on_full_disk(connection, table, ids)
        done.set_result(None)

    def _delete_on_full_disk(self, connection: sqlite3.Connection, table: str, ids: Sequence[str]) -> None:
        """Delete rows with the room of the reserve, and give theirs back to the disk."""
        self._reserve.release()
        for start in range(0, len(ids), _DELETED_ROWS_WHILE_FULL):
            empty_journal(connection)
            some = ids[start : start + _DELETED_ROWS_WHILE_FULL]
            self._metrics.n_outbox_rows -= _delete_rows(connection, table, some)
        shrink(connection)

    def _connect(self) -> sqlite3.Connection:
        """Open the file, a new one if it is broken, and count what dead processes have lost."""
        try:
            connection = open_for_writing(self.path, durable=self._strict, max_bytes=self._max_bytes)
        except sqlite3.Error as error:
            if not is_broken(error):
                raise
            self._set_aside()
            connection = open_for_writing(self.path, durable=self._strict, max_bytes=self._max_bytes)
        self._connection = connection
        self._count_losses(connection)
        counts = [f"(SELECT count(*) FROM {table.name})" for table in TABLES]  # noqa: S608
        (self._metrics.n_outbox_rows,) = connection.execute(f"SELECT {' + '.join(counts)}").fetchone()
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _set_aside(self) -> None:
        """Keep a broken file beside a new one; how many of its rows can be read is for a person to find out."""
        self._disconnect()
        kept = set_aside(self.path)
        self._metrics.set_aside.inc()
        logger.error("request log: the file is damaged; it is kept, and a new one begins", extra={"kept": kept.name})
        for _, _, path in dead_writers(self.path.parent):
            path.unlink(missing_ok=True)

    def _count_losses(self, connection: sqlite3.Connection) -> None:
        """Add what dead processes had accepted and not committed to the file's own total; safe to be killed in."""
        committed = dict(connection.execute("SELECT id, n_rows FROM outbox_writer"))
        dead = {writer: (n_accepted, path) for writer, n_accepted, path in dead_writers(self.path.parent)}
        n_lost = sum(max(0, n_accepted - committed.get(writer, 0)) for writer, (n_accepted, _) in dead.items())
        settled = [(writer, n_accepted) for writer, (n_accepted, _) in dead.items()]
        total = committed.pop(_LOST, 0) + n_lost
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR REPLACE INTO outbox_writer VALUES (?, ?)", [*settled, (_LOST, total)])
        connection.execute("COMMIT")
        for _, path in dead.values():
            path.unlink(missing_ok=True)
        connection.executemany("DELETE FROM outbox_writer WHERE id = ?", [(writer,) for writer in dead])
        self._metrics.lost.inc(total)
        if n_lost:
            logger.error("request log: rows were lost when the process was killed", extra={"rows": n_lost})

    def _fail(self, error: Exception) -> None:
        """Say it once, and have those who wait answered; a broken file is replaced by the next try."""
        if not self._failing:
            logger.error("request log: rows cannot be written", extra={"error": type(error).__name__})
        self._failing = True
        self._metrics.fail("commit", error)
        if is_broken(error):
            self._disconnect()
        if not self._connection:
            self._reserve.release()  # the disk may have no room to open the file
        queued, self._group = self._group, []
        while self._queue:
            queued.append(self._queue.popleft())
        waiting = [(entry, waiter) for entry, waiter in queued if waiter]
        if self._refuse:  # their requests are refused, so their rows must not appear later
            queued = [(entry, waiter) for entry, waiter in queued if not waiter]
            self._n_settled += sum(entry.n_rows for entry, _ in waiting)
            self._metrics.refused.inc(len(waiting))
        self._queue.extendleft((entry, None) for entry, _ in reversed(queued))
        _resolve(waiting, RequestLogFullError if self._refuse else None)

    def _recover(self) -> None:
        if self._failing:
            logger.info("request log: rows are written again")
        self._failing = False
        self._metrics.succeed("commit")


def _insert(connection: sqlite3.Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, many by one statement: Python takes its lock again after each, and the event loop has it by then."""
    start = 0
    while start < len(rows):
        n_rows = next(size for size in _STATEMENT_ROWS if size <= len(rows) - start)
        values = list(chain.from_iterable(rows[start : start + n_rows]))
        connection.execute(table.insert(n_rows), values)
        start += n_rows


def _delete_rows(connection: sqlite3.Connection, table: str, ids: Sequence[str]) -> int:
    """Delete rows in a transaction; return their number."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        cursor = connection.executemany(f"DELETE FROM {table} WHERE id = ?", [(row_id,) for row_id in ids])  # noqa: S608
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return cursor.rowcount


def _resolve(group: Sequence[_Queued], error: Callable[[], Exception] | None) -> None:
    """End the waiting of a group's requests, on their event loop."""
    waiters = [waiter for _, waiter in group if waiter]
    if waiters:
        waiters[0].get_loop().call_soon_threadsafe(_resolve_all, waiters, error)


def _resolve_all(waiters: Sequence[_Waiter], error: Callable[[], Exception] | None) -> None:
    for waiter in waiters:
        if waiter.done():  # its client has left
            continue
        if error:
            waiter.set_exception(error())
        else:
            waiter.set_result(None)

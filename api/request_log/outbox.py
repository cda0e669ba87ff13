"""The outbox: rows to a local SQLite file, committed in groups by one thread off the event loop."""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event, Thread

from api.errors import RequestLogFullError
from api.request_log.log_metrics import RequestLogMetrics
from api.request_log.loss import PromisedRows, dead_writers
from api.request_log.names import NameKeeper
from api.request_log.outbox_file import (
    FILE,
    OutboxFileError,
    empty_journal,
    is_broken,
    is_full,
    open_for_writing,
    set_aside,
    shrink,
)
from api.request_log.reserve import Reserve
from api.request_log.rows import TABLES, Entry, Row, Table
from api.request_log.transactions import (
    count_rows,
    delete_rows,
    insert_rows,
    settle,
    take_losses,
    transaction,
    try_room,
)

logger = logging.getLogger("api")

_GATHER_SECONDS = 0.05
"""Rows of so much time share a commit, where no answer waits for it."""
_RETRY_SECONDS = 0.5
_MAX_GROUP = 5_000
"""Rows of one commit."""
_MAX_GROUP_WHILE_FAILING = 500
_DELETED_ROWS_WHILE_FULL = 50
"""Rows that are deleted at once where the disk has no more room than the reserve."""
_MAX_QUEUED = 10_000
"""Rows in memory; who adds more waits for a commit."""

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
        """Make the folder and the count of promised rows in it.

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
        self._promised = self._count_promised(directory)
        self._n_kept = 0  # of the promised rows: committed
        self._n_accepted = 0  # counted by the event loop alone
        self._n_settled = 0  # of the accepted rows, by the writer alone: committed, or given up
        self._queue: deque[_Queued] = deque()
        self._group: list[_Queued] = []
        self._deletions: deque[tuple[str, Sequence[str], Future[None]]] = deque()
        self._connection: sqlite3.Connection | None = None
        self._failing = False
        self._closing = False
        self._miscounted = False
        self._wake = Event()
        self._thread = Thread(target=self._run, name="request-log", daemon=True)

    @property
    def n_pending(self) -> int:
        """Rows that are accepted and not yet settled."""
        return self._n_accepted - self._n_settled

    @property
    def is_open(self) -> bool:
        """Whether the file is there, at the newest revision."""
        return self._connection is not None

    @property
    def share_used(self) -> float:
        """The file's size as a share of the largest that it may have; room inside it that is free again counts too."""
        try:
            return self.path.stat().st_size / self._max_bytes
        except OSError:
            return 0.0

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

    def recount(self) -> None:
        """Have the rows in the file counted anew: others delete from it too, as an erasure does."""
        self._miscounted = True
        self._wake.set()

    def close(self, timeout: float) -> None:
        """Write what waits, for `timeout` seconds at most; the next start counts as lost what then still waits."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        n_left = self.n_pending
        if n_left:
            logger.error("request log: rows were not written", extra={"rows": n_left})
        self._promised.close(settled=not n_left)

    def _count_promised(self, directory: Path) -> PromisedRows:
        try:
            return PromisedRows(directory)
        except OSError:
            if not self._reserve.release():
                raise
        return PromisedRows(directory)

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
        self._n_accepted += entry.n_rows
        if waiter is None:
            self._promised.add(entry.n_rows)
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
        if self._miscounted:
            self._miscounted = False
            self._metrics.n_outbox_rows = count_rows(connection)
        if self._failing:
            empty_journal(connection)
            try_room(connection)
        if not self._reserve.is_taken:
            shrink(connection)  # for the room that it needs, if the disk was full
            self._reserve.take()
        most = _MAX_GROUP_WHILE_FAILING if self._failing else _MAX_GROUP
        while self._take_group(most):
            self._commit(connection)
        self._recover()

    def _take_group(self, most: int) -> bool:
        n_rows = 0
        while self._queue and (not n_rows or n_rows + self._queue[0][0].n_rows <= most):
            self._group.append(self._queue.popleft())
            n_rows += self._group[-1][0].n_rows
        return bool(self._group)

    def _commit(self, connection: sqlite3.Connection) -> None:
        started = time.perf_counter()
        rows = {table: [row for entry in entries for row in self._build(entry)] for table, entries in self._by_table()}
        n_kept = self._n_kept + sum(entry.n_rows for entry, waiter in self._group if waiter is None)
        with transaction(connection):
            for table, some in rows.items():
                insert_rows(connection, table, some)
            settle(connection, self._promised.writer, n_kept)
        n_rows = sum(map(len, rows.values()))
        self._metrics.commit_seconds.observe(time.perf_counter() - started)
        self._metrics.written.inc(n_rows)
        self._metrics.n_outbox_rows += n_rows
        group, self._group = self._group, []
        self._n_kept = n_kept
        self._n_settled += sum(entry.n_rows for entry, _ in group)
        _resolve(group, None)

    def _by_table(self) -> Iterator[tuple[Table, list[Entry]]]:
        for table in TABLES:
            if entries := [entry for entry, _ in self._group if entry.table is table]:
                yield table, entries

    def _build(self, entry: Entry) -> Sequence[Row]:
        """Return the rows of an entry; one that cannot be built must not hold up those behind it."""
        try:
            return list(entry.rows(self._keeper))
        except Exception as error:  # noqa: BLE001 - a fault of ours, whatever it is
            logger.error("request log: a row cannot be built", extra={"error": type(error).__name__})  # noqa: TRY400
            self._metrics.skipped.inc(entry.n_rows)
            return ()

    def _delete(self, connection: sqlite3.Connection, table: str, ids: Sequence[str], done: "Future[None]") -> None:
        if done.cancelled():
            return
        try:
            self._metrics.n_outbox_rows -= delete_rows(connection, table, ids)
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
            self._metrics.n_outbox_rows -= delete_rows(connection, table, some)
        shrink(connection)

    def _connect(self) -> sqlite3.Connection:
        """Open the file, a new one if it is broken, and count what dead processes have lost."""
        if not self._failing and self.path.exists() and not self.path.stat().st_size:
            logger.error("the file of the request log is empty; a new one begins")
        try:
            connection = open_for_writing(self.path, durable=self._strict, max_bytes=self._max_bytes)
        except sqlite3.Error as error:
            if not is_broken(error):
                raise
            self._set_aside()
            connection = open_for_writing(self.path, durable=self._strict, max_bytes=self._max_bytes)
        self._connection = connection
        total, n_lost = take_losses(connection, self.path.parent)
        self._metrics.lost.inc(total)
        if n_lost:
            logger.error("request log: rows were lost when the process was killed", extra={"rows": n_lost})
        self._metrics.n_outbox_rows = count_rows(connection)
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

    def _fail(self, error: Exception) -> None:
        """Say it once, and have those who wait answered; a broken file is replaced by the next try."""
        if not self._failing:
            logger.error("request log: rows cannot be written", extra={"error": _explain(error)})
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
        else:
            self._promised.add(sum(entry.n_rows for entry, _ in waiting))
        self._queue.extendleft((entry, None) for entry, _ in reversed(queued))
        _resolve(waiting, RequestLogFullError if self._refuse else None)

    def _recover(self) -> None:
        if self._failing:
            logger.info("request log: rows are written again")
            self._failing = False
            self._metrics.succeed("commit")


def _explain(error: Exception) -> str:
    """Return what an operator needs to know, without a value of a row: SQLite's messages name columns at most."""
    if isinstance(error, OutboxFileError | sqlite3.Error):
        return str(error)
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__


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

"""The shipper: rows from the outbox to PostgreSQL, a batch at a time; a row is deleted once it is committed there."""

import logging
import random
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from threading import Event, Thread

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.request_log.identifiers import time_of
from api.request_log.log_metrics import RequestLogMetrics
from api.request_log.outbox import Outbox
from api.request_log.outbox_file import connect
from api.request_log.partitions import Month, partition_sql
from api.request_log.rows import PREDICTION_REQUEST, TABLES, Table
from api.request_log.schema import CURRENT_REVISION_QUERY, ERASURE_LOCK, explain_encoding, explain_revision

logger = logging.getLogger("api")

_BATCH = 1_000
_IDLE_SECONDS = 0.5
"""How long a row waits at most before it is shipped."""
_LONGEST_WAIT_SECONDS = 10.0
_CONNECTION = {"connect_timeout": "5", "options": "-c statement_timeout=60000", "application_name": "request-log"}
"""Unless the URL says otherwise: who does not answer is given up."""
_ENCODING = {"client_encoding": "utf8"}
"""Whatever the environment says: rows are UTF-8."""
_DELETE_SECONDS = 60.0
_REJECTED_FILE = "request_log.rejected.ndjson"
_JSON_COLUMNS = frozenset({"options", "labels", "log_probs"})
_ERASED = """
DELETE FROM {table} AS row USING erasure
WHERE row.id = ANY(%s::uuid[]) AND row.name_hash = erasure.name_hash AND row.{time} <= erasure.erased_at
"""
_REFUSED_BY_VALUE = (psycopg.DataError, psycopg.errors.NotNullViolation)
_encode = msgspec.json.Encoder().encode
_decode_ids = msgspec.json.Decoder(list[str]).decode


class SchemaError(Exception):
    """The database has not the encoding or the revision that this release needs."""


class Shipper:
    """Moves rows in a thread that survives whatever the database does, and tries again ever more seldom."""

    def __init__(self, url: str, outbox: Outbox, metrics: RequestLogMetrics) -> None:
        """Take a URL as SQLAlchemy writes it; nothing is connected to before `start`."""
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._outbox = outbox
        self._metrics = metrics
        self._database: psycopg.Connection | None = None
        self._waits = 0
        self._reason = ""  # of the last failure, as it was logged
        self._deadline: float | None = None
        self._wake = Event()
        self._thread = Thread(target=self._run, name="request-log-shipper", daemon=True)

    def start(self) -> None:
        """Begin to ship."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Ship what is left, for `timeout` seconds at most."""
        self._deadline = time.monotonic() + timeout
        self._wake.set()
        self._thread.join(timeout + 1)
        if n_left := self._metrics.n_outbox_rows:
            logger.error("request log: rows stay in the outbox", extra={"rows": n_left})

    def _run(self) -> None:
        while self._deadline is None or time.monotonic() < self._deadline:
            try:
                n_shipped = self._ship()
            except Exception as error:  # noqa: BLE001 - whatever it is, this must never end
                self._fail(error)
                self._wait(self._backoff())
                continue
            self._succeed()
            if n_shipped:
                continue
            if self._deadline is not None and not self._outbox.n_pending:
                break
            self._wait(_IDLE_SECONDS)
        self._disconnect()

    def _ship(self) -> int:
        """Ship a batch of each table; return the number of rows."""
        if not self._outbox.is_open:
            return 0
        with closing(connect(self._outbox.path)) as file:
            return sum(self._ship_batch(file, table) for table in TABLES)

    def _ship_batch(self, file: sqlite3.Connection, table: Table) -> int:
        """Ship the oldest rows of a table, and delete them; return their number."""
        self._metrics.oldest_at = _oldest_at(file)
        if self._metrics.oldest_at is None:
            if self._metrics.n_outbox_rows:
                self._outbox.recount()
            return 0
        started = time.perf_counter()
        database = self._database or self._connect()
        with database.transaction():
            database.execute("SELECT pg_advisory_xact_lock_shared(%s)", (ERASURE_LOCK,))  # before rows are read
            ids = _oldest_ids(file, table)
            if not ids:
                return 0
            n_rejected = self._insert(database, file, table, ids)
        self._outbox.delete(table.name, ids).result(_DELETE_SECONDS)
        self._metrics.shipped.inc(len(ids) - n_rejected)
        self._metrics.ship_seconds.observe(time.perf_counter() - started)
        return len(ids)

    def _connect(self) -> psycopg.Connection:
        """Connect, and see that the schema fits. Raises SchemaError or what psycopg does."""
        database = psycopg.connect(
            make_conninfo(self._url, **(_CONNECTION | conninfo_to_dict(self._url) | _ENCODING)), autocommit=True
        )
        try:
            _check_schema(database)
        except BaseException:
            database.close()
            raise
        self._database = database
        return database

    def _insert(self, database: psycopg.Connection, file: sqlite3.Connection, table: Table, ids: Sequence[str]) -> int:
        """Insert rows that are not there yet; return how many the database does not take."""
        documents = _read_documents(file, table, ids)
        try:
            with database.transaction():
                _insert_all(database, table, ids, documents)
        except _REFUSED_BY_VALUE:
            if len(ids) == 1:
                self._reject(table, documents)
                return 1
            half = len(ids) // 2
            return sum(self._insert(database, file, table, some) for some in (ids[:half], ids[half:]))
        return 0

    def _reject(self, table: Table, documents: str) -> None:
        """Keep a row that the database does not take beside the outbox: it would hold up all behind it."""
        with (self._outbox.path.parent / _REJECTED_FILE).open("a", encoding="utf-8") as file:
            file.write(f'{{"table":"{table.name}","row":{documents[1:-1]}}}\n')
        self._metrics.rejected.inc()

    def _fail(self, error: Exception) -> None:
        reason = _explain(error, connected=self._database is not None)
        if reason != self._reason:
            logger.error("request log: rows cannot be shipped; they wait in the outbox", extra={"error": reason})
        self._reason = reason
        self._waits += 1
        self._metrics.fail("ship", error)
        self._disconnect()

    def _succeed(self) -> None:
        if self._waits:
            logger.info("request log: rows are shipped again")
        self._waits, self._reason = 0, ""
        self._metrics.succeed("ship")

    def _backoff(self) -> float:
        """Return how long to wait: twice as long each time, and never as long as another process."""
        return random.uniform(0.5, 1) * min(2.0 ** min(self._waits, 10) / 4, _LONGEST_WAIT_SECONDS)  # noqa: S311

    def _wait(self, seconds: float) -> None:
        if self._deadline is not None:
            seconds = min(seconds, _IDLE_SECONDS, max(0.0, self._deadline - time.monotonic()))
            time.sleep(seconds)
        else:
            self._wake.wait(seconds)

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database:
            database.close()


def _explain(error: Exception, *, connected: bool) -> str:
    """Return what an operator needs to know; once connected only the class, as a message may quote a row."""
    if isinstance(error, SchemaError):
        return str(error)
    refused = isinstance(error, psycopg.errors.InsufficientPrivilege)  # its message names tables
    if refused or (isinstance(error, psycopg.OperationalError) and not connected):
        return str(error).split("\n", 1)[0]
    return type(error).__name__


def _check_schema(database: psycopg.Connection) -> None:
    """Raise SchemaError unless the database holds every name, in the schema that this release needs."""
    if problem := explain_encoding(database.info.parameter_status("server_encoding")):
        raise SchemaError(problem)
    try:
        row = database.execute(CURRENT_REVISION_QUERY).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if problem := explain_revision(row[0] if row else None):
        raise SchemaError(problem)


def _insert_all(database: psycopg.Connection, table: Table, ids: Sequence[str], documents: str) -> None:
    if table is PREDICTION_REQUEST:
        _make_partitions(database, {Month.of_id(row_id) for row_id in ids})
    columns = ", ".join(table.columns)
    database.execute(
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} "  # noqa: S608 - constants
        f"FROM json_populate_recordset(NULL::{table.name}, %s::json) ON CONFLICT DO NOTHING",
        (documents,),
    )
    time_column = "answered_at" if table is PREDICTION_REQUEST else "given_at"
    database.execute(_ERASED.format(table=table.name, time=time_column), (list(ids),))


def _make_partitions(database: psycopg.Connection, months: Iterable[Month]) -> None:
    """Make the partitions that are missing; asked for each batch, as an operator may have dropped one."""
    for month in months:
        found = database.execute("SELECT FROM pg_inherits WHERE inhrelid = to_regclass(%s)", (month.partition,))
        if not found.rowcount:
            database.execute(partition_sql(month))


def _oldest_ids(file: sqlite3.Connection, table: Table) -> list[str]:
    """Return the ids of a batch, read as one row: Python takes its lock again after each, and the event loop has it."""
    statement = f"SELECT json_group_array(id) FROM (SELECT id FROM {table.name} ORDER BY id LIMIT ?)"  # noqa: S608
    return _decode_ids(file.execute(statement, (_BATCH,)).fetchone()[0])


def _read_documents(file: sqlite3.Connection, table: Table, ids: Sequence[str]) -> str:
    """Return rows as a JSON array that PostgreSQL reads: times in UTC, and JSON columns as they are."""
    pairs = ", ".join(f"'{column}', {_as_json(column)}" for column in table.columns)
    statement = (
        f"SELECT json_group_array(json_object({pairs})) FROM {table.name} "  # noqa: S608 - constants
        "WHERE id IN (SELECT value FROM json_each(?))"
    )
    documents: str = file.execute(statement, (_encode(ids).decode(),)).fetchone()[0]
    return documents


def _as_json(column: str) -> str:
    if column in _JSON_COLUMNS:
        return f"json({column})"
    return f"{column} || '+00:00'" if column.endswith("_at") else column


def _oldest_at(file: sqlite3.Connection) -> float | None:
    """Return when the oldest row of all tables was made, in seconds since the epoch."""
    ids = [file.execute(f"SELECT min(id) FROM {table.name}").fetchone()[0] for table in TABLES]  # noqa: S608
    oldest = min(filter(None, ids), default=None)
    return time_of(oldest).timestamp() if oldest else None

"""The request log's commands on ten million rows in PostgreSQL: how long, under which locks, by which plans.

Run `python benchmarks/request_log.py [--rows 10000000]`; prints Markdown, then the plans. A PostgreSQL with its own
defaults is started and filled with four months of rows. Meanwhile somebody else inserts as the shipper does: how long
each insert took beside a command is what that command held up.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import psycopg

from api.request_log.identifiers import new_ids
from api.request_log.migrating import migrate
from api.request_log.partitions import Month, partition_sql
from api.request_log.schema import ERASURE_LOCK
from api.tests.postgresql import PostgreSQL

ROOT = Path(__file__).parents[1]
N_MONTHS = 4
N_NAMES = 500_000
INSERT_SECONDS = 0.02
SAMPLE_SECONDS = 0.002
BESIDE = 10
"""Rows of an insert beside a command."""

FILL = """
INSERT INTO {table}
SELECT (lpad(to_hex(at), 12, '0') || '7' || substr(digits, 1, 3) || '8' || substr(digits, 4, 15))::uuid,
    substr(digits, 8, 16), 0, NULL, to_timestamp(at / 1000.0), '/get_prediction', 'benchmark',
    NULL, encode(sha256((number % {n_names})::text::bytea), 'hex'), 'benchmark', 4 + number % 9, 'Latin',
    3 + random(), '{{"top_k":3,"prior":"natural","abstain":false}}',
    jsonb_build_array('Label' || number % 43, 'Label' || number % 41, 'Label' || number % 37),
    jsonb_build_array(-random(), -1 - random(), -2 - random()),
    CASE WHEN number % 50 = 0 THEN 'unfamiliar name' END, '9488db93b30b', random() / 1000, 200
FROM generate_series({first}::bigint, {last}::bigint) AS number,
    LATERAL (SELECT md5(number::text) AS digits, {start}::bigint + number * {step}::float8 AS exact) AS made,
    LATERAL (SELECT exact::bigint AS at) AS timed
"""
INSERT = """
INSERT INTO prediction_request (id, request_id, answered_at, route, latency_seconds, status)
SELECT unnest(%s::uuid[]), 'beside', now(), '/get_prediction', 0.001, 200 ON CONFLICT DO NOTHING
"""
PLANS = (
    "session_preload_libraries = auto_explain",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
    "auto_explain.log_timing = off",  # of each node: it would take longer than the query
)
LOCKS = """
SELECT DISTINCT coalesce(relation::regclass::text, locktype), mode FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE application_name = 'request_log' AND locktype IN ('relation', 'advisory') AND mode <> 'AccessShareLock'
"""


@dataclass
class Seen:
    """What a command held up: the longest insert beside it in seconds, and the locks that it was seen to hold."""

    seconds: float = 0.0
    longest_insert_seconds: float = 0.0
    locks: set[tuple[str, str]] = field(default_factory=set)


def fill(dsn: str, n_rows: int, start: datetime, end: datetime) -> None:
    """Spread rows evenly over the time; partitions get their indexes when they are full."""
    first_ms = int(start.timestamp() * 1000)
    step = (end - start).total_seconds() * 1000 / n_rows
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET auto_explain.log_min_duration = -1")
        month = Month.of(start)
        while month.start < end:
            bounds = (max(month.start, start), min(month.following().start, end))
            first, limit = (round((at - start).total_seconds() * 1000 / step) for at in bounds)
            connection.execute(f"CREATE TABLE {month.partition} (LIKE prediction_request)")
            numbers = {"first": first + 1, "last": limit - 1, "start": first_ms, "step": step, "n_names": N_NAMES}
            connection.execute(FILL.format(table=month.partition, **numbers))
            connection.execute(partition_sql(month))
            month = month.following()
        connection.execute("CHECKPOINT")
        connection.execute("VACUUM ANALYZE")


@contextmanager
def watched(dsn: str) -> Iterator[Seen]:
    """Insert rows and look at locks in threads of their own."""
    seen, stopped = Seen(), Event()
    threads = [Thread(target=_insert, args=(dsn, seen, stopped)), Thread(target=_sample, args=(dsn, seen, stopped))]
    for thread in threads:
        thread.start()
    started = time.perf_counter()
    try:
        yield seen
    finally:
        seen.seconds = time.perf_counter() - started
        stopped.set()
        for thread in threads:
            thread.join()


def _insert(dsn: str, seen: Seen, stopped: Event) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET auto_explain.log_min_duration = -1")
        while not stopped.wait(INSERT_SECONDS):
            started = time.perf_counter()
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (ERASURE_LOCK,))
                connection.execute(INSERT, (new_ids(BESIDE, int(time.time() * 1000)),))
            seen.longest_insert_seconds = max(seen.longest_insert_seconds, time.perf_counter() - started)


def _sample(dsn: str, seen: Seen, stopped: Event) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET auto_explain.log_min_duration = -1")
        while not stopped.wait(SAMPLE_SECONDS):
            seen.locks.update(connection.execute(LOCKS).fetchall())


def run(url: str, *arguments: str) -> str:
    """Run a command of the request log; return what it prints."""
    environment = os.environ | {"NAME_CLASSIFIER_DATABASE_URL": url}
    command = (sys.executable, "-m", "api.request_log", *arguments)
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def describe_locks(locks: set[tuple[str, str]]) -> str:
    """Return the strongest kinds of locks by what they are on; partitions and indexes count as one."""
    kinds = {(re.sub(r"_\d{4}_\d{2}(_\w+)?$", " partition", name), mode) for name, mode in locks}
    kinds = {(name, mode) for name, mode in kinds if not name.startswith(("pg_", "ix_", "pk_"))}
    return ", ".join(f"{mode} on {name}" for name, mode in sorted(kinds)) or "none but AccessShareLock"


def measure(postgresql: PostgreSQL, database: str, n_rows: int) -> None:
    """Fill a database, run the commands one after the other and print what was seen."""
    dsn, url = postgresql.conninfo(database), postgresql.url(database)
    end = datetime.now(UTC)
    start = end - timedelta(days=30 * N_MONTHS)
    started = time.perf_counter()
    fill(dsn, n_rows, start, end)
    print(f"{n_rows:,} rows from {start:%Y-%m-%d} to {end:%Y-%m-%d} in {time.perf_counter() - started:.0f} s", end="; ")
    with psycopg.connect(dsn) as connection:
        (n_bytes,) = connection.execute(f"SELECT pg_database_size('{database}')").fetchone() or (0,)
        (name_hash,) = connection.execute("SELECT encode(sha256('4711'), 'hex')").fetchone() or ("",)
    print(f"{n_bytes / 1e9:.1f} GB\n")
    with watched(dsn) as idle:
        time.sleep(5)
    print(f"longest insert beside nothing: {1000 * idle.longest_insert_seconds:.0f} ms\n")
    day, after = (f"{end - timedelta(days=n):%Y-%m-%d}" for n in (40, 39))
    kept = (end - Month.of(start).following().start).days
    commands = {
        "`stats`": ("stats",),
        "`stats --exact`": ("stats", "--exact"),
        "`export` of a day": ("export", "--since", day, "--until", after),
        "`erase` one name": ("erase", "--hash", name_hash),
        "`retain`, drops a month": ("retain", "--days", str(kept)),
    }
    print("| command | seconds | longest insert beside it, ms | locks |\n|---|---|---|---|")
    for name, arguments in commands.items():
        with watched(dsn) as seen:
            printed = run(url, *arguments)
        print(
            f"| {name} | {seen.seconds:.1f} | {1000 * seen.longest_insert_seconds:.0f} | {describe_locks(seen.locks)} |"
        )
        if name.startswith(("`erase", "`retain")):
            print(printed.strip(), file=sys.stderr)


def plans(log: str) -> Iterator[str]:
    """Yield the duration and the plan of each query of the table."""
    for entry in re.split(r"^\d{4}-\d\d-\d\d .*? LOG:  ", log, flags=re.MULTILINE):
        if entry.startswith("duration:") and " on prediction_request" in entry:
            yield entry.rstrip()


def main() -> None:
    """Start PostgreSQL, measure, and print the plans that it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    postgresql = PostgreSQL(durable=True)
    try:
        postgresql.start()
        database = postgresql.new_database()
        migrate(postgresql.url(database))
        with psycopg.connect(postgresql.conninfo("postgres"), autocommit=True) as connection:
            for setting in PLANS:
                connection.execute(f"ALTER DATABASE {database} SET {setting}")
        measure(postgresql, database, rows)
        print("\n```\n" + "\n".join(plans((postgresql.folder / "log").read_text(encoding="utf-8"))) + "\n```")
    finally:
        postgresql.remove()


if __name__ == "__main__":
    main()

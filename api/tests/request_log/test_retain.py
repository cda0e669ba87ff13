"""Retention: what is old goes, to the millisecond, and what is not stays."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from api.request_log.commands import retain
from api.request_log.engines import open_engine, sqlite_url
from api.request_log.migrating import migrate
from api.request_log.partitions import Month
from api.request_log.schema import RETENTION_LOCK
from api.request_log.tables import erasure, feedback
from api.tests.postgresql import PostgreSQL
from api.tests.request_log.conftest import RequestLog

AGES = (1, 29, 30, 31, 32, 120, 400)


def ages_left(log: RequestLog) -> list[int]:
    ids = log.query("SELECT request_id FROM prediction_request")
    return sorted(int(identifier) for (identifier,) in ids)


def fill(log: RequestLog) -> datetime:
    now = datetime.now(UTC)
    log.fill([{"answered_at": now - timedelta(days=age, seconds=-60), "request_id": str(age)} for age in AGES])
    truth = {"name": "Anna", "name_hash": "0", "name_hash_key": "", "label": "German"}
    log.fill([truth | {"given_at": now - timedelta(days=age), "request_id": str(age)} for age in AGES], feedback)
    with open_engine(log.url).begin() as connection:
        for age in AGES:
            row = {"name_hash": str(age), "name_hash_key": "", "erased_at": now - timedelta(days=age, seconds=-60)}
            connection.execute(erasure.insert(), row)
    return now


@pytest.mark.parametrize("chunk", [1, 3, 5_000])
def test_old_rows_go_and_others_stay(request_log: RequestLog, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "_CHUNK", chunk)
    fill(request_log)
    result = request_log.run("retain", "--days", "30")
    assert result.exit_code == 0
    assert ages_left(request_log) == [1, 29, 30]
    assert request_log.query("SELECT count(*) FROM feedback") == [(len(AGES),)]
    assert request_log.query("SELECT count(*) FROM erasure") == [(3,)]
    request_log.run("retain", "--days", "30", "--feedback-days", "100")
    assert request_log.query("SELECT count(*) FROM feedback") == [(5,)]


def test_no_days_keep_nothing(request_log: RequestLog) -> None:
    fill(request_log)
    assert request_log.run("retain", "--days", "0").exit_code == 0
    assert request_log.query("SELECT request_id FROM prediction_request") == []


def test_the_file_gets_smaller(tmp_path: Path) -> None:
    path = tmp_path / "log" / "request_log.sqlite"
    log = RequestLog(sqlite_url(path), path.parent)
    migrate(log.url)
    old = datetime.now(UTC) - timedelta(days=40)
    log.fill([{"answered_at": old, "name": "Zebulon" * 10} for _ in range(2000)])
    size = path.stat().st_size
    log.run("retain", "--days", "30")
    assert path.stat().st_size < size / 4
    assert b"Zebulon" not in path.read_bytes()


def partitions(log: RequestLog) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relname LIKE 'prediction_request_2%' AND relkind = 'r' ORDER BY 1"
    return [name for (name,) in log.query(query)]


def test_whole_months_are_dropped(postgresql_log: RequestLog) -> None:
    now = fill(postgresql_log)
    result = postgresql_log.run("retain", "--days", "30")
    limit = Month.of(now - timedelta(days=30))
    assert partitions(postgresql_log) == sorted({Month.of(now - timedelta(days=1)).partition, limit.partition})
    assert Month.of(now - timedelta(days=400)).partition in result.stdout


def test_an_interrupted_run_is_completed(postgresql_log: RequestLog) -> None:
    now = fill(postgresql_log)
    months = [Month.of(now - timedelta(days=age)).partition for age in (400, 120)]
    with open_engine(postgresql_log.url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER TABLE prediction_request DETACH PARTITION {months[0]}"))
        with open_engine(postgresql_log.url).connect() as reader:  # whoever reads holds up the second step of detaching
            reader.execute(text("SELECT * FROM prediction_request"))
            connection.execute(text("SET statement_timeout = 500"))
            with pytest.raises(Exception, match="statement timeout"):
                connection.execute(text(f"ALTER TABLE prediction_request DETACH PARTITION {months[1]} CONCURRENTLY"))
    assert postgresql_log.run("retain", "--days", "32").exit_code == 0
    assert not set(months) & set(partitions(postgresql_log))


def test_others_read_and_write_while_a_month_is_dropped(postgresql_log: RequestLog, postgresql: PostgreSQL) -> None:
    fill(postgresql_log)
    database = postgresql_log.url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(postgresql.conninfo(database)) as export:
        export.execute("SELECT * FROM prediction_request")
        retaining = threading.Thread(target=postgresql_log.run, args=("retain", "--days", "60"))
        retaining.start()
        retaining.join(0.5)
        assert retaining.is_alive()  # it waits for the export, and nobody waits for it
        with psycopg.connect(postgresql.conninfo(database), options="-c lock_timeout=2s") as shipper:
            shipper.execute("UPDATE prediction_request SET status = 200 WHERE request_id = '1'")
            shipper.execute("SELECT count(*) FROM prediction_request")
    retaining.join(30)
    export.close()
    shipper.close()
    assert ages_left(postgresql_log) == [1, 29, 30, 31, 32]


def test_a_second_run_leaves_the_first_alone(postgresql_log: RequestLog, postgresql: PostgreSQL) -> None:
    database = postgresql_log.url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(postgresql.conninfo(database)) as first:
        first.execute("SELECT pg_advisory_lock(%s)", (RETENTION_LOCK,))
        result = postgresql_log.run("retain", "--days", "30")
        assert result.exit_code == 1 and "Another" in str(result.exception)
    first.close()

"""Erasing a name: every spelling, under every key, wherever it is kept, and nothing else."""

import json
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from api.hash_keys import digest, parse_hash_keys
from api.request_log import engines
from api.request_log.engines import sqlite_url
from api.request_log.migrating import migrate
from api.request_log.outbox_file import FILE
from api.request_log.schema import ERASURE_LOCK
from api.request_log.tables import feedback
from api.tests.postgresql import PostgreSQL
from api.tests.request_log.conftest import RequestLog

NOVEMBER, DECEMBER = datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
KEYS = json.dumps([{"id": "new", "key": "0b" * 32}, {"id": "old", "key": "0a" * 32}])
NEW, OLD = parse_hash_keys(KEYS)
NAME, SPELLING = "Zebulon Müller", "ZEBULON MU\u0308LLER"


def hashed(name: str, key: object = None) -> dict[str, str]:
    value, key_id = digest(name, key)  # type: ignore[arg-type]
    return {"name_hash": value, "name_hash_key": key_id}


def fill(log: RequestLog) -> None:
    log.fill(
        [
            {"answered_at": NOVEMBER, "name": NAME} | hashed(NAME),
            {"answered_at": NOVEMBER} | hashed(NAME, OLD),
            {"answered_at": DECEMBER} | hashed("zebulon muller", NEW),
            {"answered_at": DECEMBER, "request_id": "other", "name": "Zebulon Miller"} | hashed("Zebulon Miller", NEW),
            {"answered_at": DECEMBER, "request_id": "refused", "status": 422},
        ]
    )
    truth = {"given_at": NOVEMBER, "label": "German"}
    log.fill([truth | {"name": name} | hashed(name, NEW) for name in (NAME, "Anna")], feedback)


@pytest.mark.parametrize("arguments", [("-",), (SPELLING,), tuple(SPELLING.split())])
def test_a_name_is_gone_and_others_stay(request_log: RequestLog, arguments: tuple[str, ...]) -> None:
    fill(request_log)
    result = request_log.run("erase", *arguments, stdin=f"{SPELLING}\n", NAME_HASH_KEYS=KEYS)
    assert result.stdout == "Rows deleted in the database: 3 of prediction_request and 1 of feedback.\n"
    assert request_log.query("SELECT request_id FROM prediction_request ORDER BY 1") == [("other",), ("refused",)]
    assert request_log.query("SELECT name FROM feedback") == [("Anna",)]
    again = request_log.run("erase", *arguments, stdin=SPELLING, NAME_HASH_KEYS=KEYS)
    assert again.stdout == "Rows deleted in the database: 0 of prediction_request and 0 of feedback.\n"


def test_a_hash_erases_without_the_name(request_log: RequestLog) -> None:
    fill(request_log)
    result = request_log.run("erase", "--hash", digest(NAME, OLD)[0].upper())
    assert "1 of prediction_request and 0 of feedback" in result.stdout


@pytest.mark.parametrize(
    "arguments", [(), (NAME, "--hash", "0" * 64), ("--hash", "zebulon"), (f"{NAME}\0",), ("",), (NAME * 50,)]
)
def test_what_cannot_be_erased_is_refused_without_echo(request_log: RequestLog, arguments: tuple[str, ...]) -> None:
    result = request_log.run("erase", *arguments)
    assert result.exit_code == 1 and result.stdout == ""
    assert "zebulon" not in str(result.exception).lower()


def test_the_bytes_of_a_name_are_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log" / "request_log.sqlite"
    log = RequestLog(sqlite_url(path), path.parent)
    migrate(log.url)
    with sqlite3.connect(path) as service:  # stays open, as the service's connection does
        service.execute("PRAGMA journal_mode = WAL")
        service.execute("SELECT * FROM prediction_request").fetchall()
        fill(log)
        assert any(NAME.encode() in file.read_bytes() for file in path.parent.iterdir())
        assert log.run("erase", NAME, NAME_HASH_KEYS=KEYS).exit_code == 0
        assert not [file for file in path.parent.iterdir() if NAME.encode() in file.read_bytes()]
    service.close()


def test_a_reader_that_keeps_the_bytes_is_reported(sqlite_log: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    reader = sqlite3.connect(sqlite_log.folder / FILE, isolation_level=None)
    reader.execute("PRAGMA journal_mode = WAL")
    fill(sqlite_log)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM prediction_request").fetchall()
    result = sqlite_log.run("erase", NAME, NAME_HASH_KEYS=KEYS)
    assert result.exit_code == 1 and "try once more" in str(result.exception)
    reader.close()
    assert sqlite_log.run("erase", NAME, NAME_HASH_KEYS=KEYS).exit_code == 0


def test_the_outbox_is_erased_from_too(postgresql_log: RequestLog) -> None:
    outbox = RequestLog(sqlite_url(postgresql_log.folder / "request_log.sqlite"), postgresql_log.folder)
    migrate(outbox.url)
    fill(outbox)
    result = postgresql_log.run("erase", NAME, NAME_HASH_KEYS=KEYS)
    assert "in the database: 0 of" in result.stdout
    assert "request_log.sqlite: 3 of prediction_request and 1 of feedback" in result.stdout
    assert outbox.query("SELECT count(*) FROM prediction_request") == [(2,)]


def test_shippers_learn_of_an_erasure(postgresql_log: RequestLog) -> None:
    before = datetime.now(UTC)
    for _ in range(2):
        postgresql_log.run("erase", NAME, NAME_HASH_KEYS=KEYS)
    rows = postgresql_log.query("SELECT name_hash, name_hash_key, erased_at FROM erasure")
    assert {row[:2] for row in rows} == {digest(NAME, key) for key in (NEW, OLD, None)} and len(rows) == 3
    assert all(row[2] >= before for row in rows)


def test_an_erasure_waits_for_a_batch_that_is_being_shipped(postgresql_log: RequestLog, postgresql: PostgreSQL) -> None:
    database = postgresql_log.url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(postgresql.conninfo(database)) as shipper:
        shipper.execute("SELECT pg_advisory_xact_lock_shared(%s)", (ERASURE_LOCK,))
        fill(postgresql_log)
        erasing = threading.Thread(target=postgresql_log.run, args=("erase", NAME), kwargs={"NAME_HASH_KEYS": KEYS})
        erasing.start()
        erasing.join(0.5)
        assert erasing.is_alive() and postgresql_log.query("SELECT count(*) FROM prediction_request") == [(5,)]
        shipper.commit()
    erasing.join(30)
    assert postgresql_log.query("SELECT count(*) FROM prediction_request") == [(2,)]
    shipper.close()

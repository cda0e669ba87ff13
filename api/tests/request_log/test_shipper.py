"""From the outbox to a real PostgreSQL: each row exactly once, whatever happens on the way."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from api.request_log.migrating import migrate
from api.request_log.outbox_file import FILE
from api.tests.conftest import Server, metric_sum, start, until
from api.tests.postgresql import PostgreSQL
from api.tests.request_log.reading import read_rows, running
from api.tests.request_log.test_recording import ASK


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    migrate(postgresql_url)
    return postgresql_url


def query(url: str, sql: str, *values: object) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), row_factory=dict_row, autocommit=True) as c:
        cursor = c.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


def shipped(url: str, table: str = "prediction_request") -> list[dict[str, Any]]:
    return query(url, f"SELECT * FROM {table} ORDER BY id")


def ask(server: Server, number: int, prefix: str = "r") -> str:
    request_id = f"{prefix}-{number}"
    server.client.post(
        "/get_prediction", json={"name": "Jordan"}, headers={"x-request-id": request_id}
    ).raise_for_status()
    return request_id


def test_rows_arrive_as_they_were_and_leave_the_outbox(bundle: Path, tmp_path: Path, database_url: str) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, DATABASE_URL=database_url) as server:
        for request in ASK.values():
            request(server.client)
        server.client.post("/get_prediction", json={"name": ""})
        feedback = {"request_id": "r", "item_index": 3, "name": "Jordan", "label": "Irish"}
        server.client.post("/v1/feedback", json=feedback).raise_for_status()
        until(lambda: len(shipped(database_url, "feedback")) == 1 and not read_rows(directory))
        rows = shipped(database_url)
        assert {row["route"] for row in rows} == set(ASK)
        assert {row["status"] for row in rows} == {200, 422}
        assert metric_sum(server.client, "request_log_rows_shipped_total") == len(rows) + 1
        assert metric_sum(server.client, "request_log_outbox_rows") == 0
        assert metric_sum(server.client, "request_log_outbox_oldest_row_age_seconds") == 0
    row = next(row for row in rows if row["route"] == "/v1/predict")
    assert row["name"] == "Zoë Canaryson"
    assert isinstance(row["labels"], list)
    assert row["options"] == {"top_k": 2, "prior": "natural", "abstain": False}
    assert abs(row["answered_at"].timestamp() * 1000 - (row["id"].int >> 80)) <= 1


def test_the_database_may_be_down(bundle: Path, tmp_path: Path, postgresql: PostgreSQL, database_url: str) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, DATABASE_URL=database_url) as server:
        answered = [ask(server, number) for number in range(5)]
        until(lambda: len(shipped(database_url)) == 5)
        postgresql.stop()
        try:
            answered += [ask(server, number) for number in range(5, 50)]
            until(lambda: metric_sum(server.client, 'request_log_failing{stage="ship"}') == 1)
            assert metric_sum(server.client, 'request_log_errors_total{error="') >= 1
            assert metric_sum(server.client, "request_log_outbox_rows") == 45
            assert metric_sum(server.client, "request_log_outbox_oldest_row_age_seconds") > 0
        finally:
            postgresql.start()
        until(lambda: len(shipped(database_url)) == 50)
        until(lambda: metric_sum(server.client, 'request_log_failing{stage="ship"}') == 0)
    assert sorted(row["request_id"] for row in shipped(database_url)) == sorted(answered)


def test_a_kill_between_commit_and_deletion_ships_nothing_twice(
    bundle: Path, tmp_path: Path, database_url: str
) -> None:
    directory = tmp_path / "outbox"
    answered = []
    for attempt in range(4):
        server = start(
            *(bundle, tmp_path / "log"), REQUEST_LOG="strict", REQUEST_LOG_DIR=str(directory), DATABASE_URL=database_url
        )
        answered += [ask(server, number, f"a{attempt}") for number in range(40 + attempt * 7)]
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        server.client.close()
    with running(bundle, directory, DATABASE_URL=database_url):
        until(lambda: not read_rows(directory))
    assert sorted(row["request_id"] for row in shipped(database_url)) == sorted(answered)


def test_sigterm_ships_what_is_left(bundle: Path, tmp_path: Path, database_url: str) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, "fast", DATABASE_URL=database_url) as server:
        answered = [ask(server, number) for number in range(30)]
    assert sorted(row["request_id"] for row in shipped(database_url)) == sorted(answered)
    assert read_rows(directory) == []


def test_a_database_without_tables_is_told_how_to_get_them(bundle: Path, tmp_path: Path, postgresql_url: str) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, DATABASE_URL=postgresql_url) as server:
        ask(server, 1)
        until(lambda: "python -m api.request_log migrate" in server.log.read_text())
        assert server.client.get("/readyz").status_code == 200
        migrate(postgresql_url)
        until(lambda: len(shipped(postgresql_url)) == 1)


def test_a_database_that_cannot_hold_every_name_gets_no_rows(
    bundle: Path, tmp_path: Path, postgresql: PostgreSQL
) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, DATABASE_URL=postgresql.url(postgresql.new_database("LATIN1"))) as server:
        ask(server, 1)
        until(lambda: "has the encoding LATIN1" in server.log.read_text())
    assert len(read_rows(directory)) == 1


def test_a_role_without_rights_is_told_which_it_lacks(bundle: Path, tmp_path: Path, database_url: str) -> None:
    query(database_url, "DROP ROLE IF EXISTS clerk")
    query(database_url, "CREATE ROLE clerk LOGIN")
    query(database_url, "GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk")
    directory = tmp_path / "outbox"
    try:
        with running(bundle, directory, DATABASE_URL=database_url.replace("postgres@", "clerk@")) as server:
            ask(server, 1)
            until(lambda: "permission denied for schema public" in server.log.read_text())
            query(database_url, "GRANT CREATE ON SCHEMA public TO clerk")
            until(lambda: "must be owner of table prediction_request" in server.log.read_text())
            query(database_url, "ALTER TABLE prediction_request OWNER TO clerk")
            until(lambda: len(shipped(database_url)) == 1)
    finally:
        query(database_url, "DROP OWNED BY clerk")
        query(database_url, "DROP ROLE clerk")


def test_a_row_that_the_database_does_not_take_holds_up_no_other(
    bundle: Path, tmp_path: Path, database_url: str
) -> None:
    directory = tmp_path / "outbox"
    query(database_url, "ALTER TABLE prediction_request ALTER request_id TYPE varchar(8)")
    with running(bundle, directory, DATABASE_URL=database_url) as server:
        for number in range(20):
            ask(server, number, "far-too-long" if number == 7 else "r")
        until(lambda: len(shipped(database_url)) == 19 and not read_rows(directory))
        assert metric_sum(server.client, "request_log_rows_rejected_total") == 1
    (kept,) = (directory / "request_log.rejected.ndjson").read_text().splitlines()
    assert json.loads(kept)["row"]["request_id"] == "far-too-long-7"


@pytest.fixture
def slow_start(bundle: Path, tmp_path: Path, database_url: str) -> tuple[Path, str]:
    """An outbox whose rows have not been shipped, as no database was named."""
    directory = tmp_path / "outbox"
    with running(bundle, directory) as server:
        for name in ("Jordan", "Kowalska"):
            server.client.post("/get_prediction", json={"name": name}).raise_for_status()
    return directory, database_url


def test_what_was_erased_meanwhile_is_not_shipped(bundle: Path, slow_start: tuple[Path, str]) -> None:
    directory, url = slow_start
    row = next(row for row in read_rows(directory) if row["name"] == "Jordan")
    query(url, "INSERT INTO erasure VALUES (%s, %s, now())", row["name_hash"], row["name_hash_key"])
    with running(bundle, directory, DATABASE_URL=url) as server:
        until(lambda: not read_rows(directory))
        server.client.post("/get_prediction", json={"name": "Jordan"}).raise_for_status()  # after the erasure
        until(lambda: len(shipped(url)) == 2)
    assert [row["name"] for row in shipped(url)] == ["Kowalska", "Jordan"]


def test_what_was_erased_from_the_outbox_does_not_count_as_waiting(bundle: Path, tmp_path: Path) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, DATABASE_URL="postgresql+psycopg://user@127.0.0.1:1/none") as server:
        ask(server, 1)
        assert metric_sum(server.client, "request_log_outbox_rows ") == 1
        with closing(sqlite3.connect(directory / FILE, timeout=30)) as connection, connection:
            connection.execute("DELETE FROM prediction_request")
        until(lambda: metric_sum(server.client, "request_log_outbox_rows ") == 0)
    assert "rows stay in the outbox" not in server.log.read_text()


def test_a_partition_that_was_dropped_is_made_again(bundle: Path, tmp_path: Path, database_url: str) -> None:
    with running(bundle, tmp_path / "outbox", DATABASE_URL=database_url) as server:
        ask(server, 1)
        until(lambda: len(shipped(database_url)) == 1)
        (partition,) = query(database_url, "SELECT tableoid::regclass::text AS name FROM prediction_request")
        query(database_url, f"DROP TABLE {partition['name']}")
        ask(server, 2)
        until(lambda: [row["request_id"] for row in shipped(database_url)] == ["r-2"])
        assert metric_sum(server.client, "request_log_rows_rejected_total") == 0


def test_a_password_is_never_logged(bundle: Path, tmp_path: Path) -> None:
    url = "postgresql+psycopg://user:Sesame@127.0.0.1:1/none"
    with running(bundle, tmp_path / "outbox", DATABASE_URL=url) as server:
        ask(server, 1)
        until(lambda: "cannot be shipped" in server.log.read_text())
        assert "Connection refused" in server.log.read_text()  # what an operator needs to know
        assert "Sesame" not in server.log.read_text() + server.client.get("/metrics").text


@pytest.mark.parametrize(
    "url", ["mysql://root:Sesame@db/x", "postgresql+psycopg://u:%Sesame@db/x", "postgresql+psycopg://u:%00Sesame@db/x"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    from pydantic import ValidationError

    from api.settings import Settings, explain

    with pytest.raises(ValidationError) as caught:
        Settings(database_url=url)
    message = explain(caught.value)
    assert message.startswith("NAME_CLASSIFIER_DATABASE_URL: postgresql+psycopg://USER:PASSWORD@HOST")
    assert "Sesame" not in message

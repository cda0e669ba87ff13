"""Every revision on both engines: from nothing, from a filled database of each earlier one, and by several at once."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from api.request_log.engines import open_engine, sqlite_url
from api.request_log.errors import RequestLogError
from api.request_log.migrating import current_revision, migrate, migration_config, migration_options
from api.request_log.partitions import Month, partition_sql
from api.request_log.schema import COLUMNS, HEAD, PREDICTION_REQUEST, REVISIONS, explain_revision
from api.request_log.tables import metadata, prediction_request

ROOT = Path(__file__).parents[3]
NEW_ROW = """INSERT INTO prediction_request (id, request_id, answered_at, route, latency_seconds, status)
VALUES ('019ad6a5a0007000a000000000000000', 'r', '2026-11-30 21:27:30.123456', '/v1/predict', 0.1, 200)"""


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    migrate(url)
    with open_engine(url).connect() as connection:
        yield connection


def test_the_constants_are_those_of_the_revisions_and_tables() -> None:
    script = ScriptDirectory.from_config(migration_config())
    assert [revision.revision for revision in script.walk_revisions()] == list(reversed(REVISIONS))
    assert tuple(prediction_request.columns.keys()) == COLUMNS
    assert prediction_request.name == PREDICTION_REQUEST


def test_the_revisions_make_what_the_tables_say(connection: Connection) -> None:
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.execute(text(partition_sql(Month(2026, 11))))
    difference = compare_metadata(MigrationContext.configure(connection, opts=migration_options(dialect)), metadata)
    assert difference == []
    assert inspect(connection).has_table("outbox_writer") == (dialect == "sqlite")


@pytest.mark.parametrize("first", REVISIONS)
def test_rows_of_an_earlier_revision_stay(url: str, first: str) -> None:
    assert migrate(url, revision=first) == (None, first)
    with open_engine(url).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(partition_sql(Month.of_id("019ad6a5a0007000a000000000000000"))))
        connection.execute(text(NEW_ROW))
        before = connection.execute(text("SELECT * FROM prediction_request")).mappings().all()
    assert migrate(url) == (first, HEAD)
    assert migrate(url) == (HEAD, HEAD)
    with open_engine(url).connect() as connection:
        assert current_revision(connection) == HEAD
        after = connection.execute(text("SELECT * FROM prediction_request")).mappings().all()
    assert [dict(row) for row in after] == [dict(row) for row in before] != []


def test_several_processes_may_migrate_at_once(url: str) -> None:
    code = f"from api.request_log.migrating import migrate; print(migrate({url!r}))"

    def run(_: int) -> str:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout or done.stderr

    with ThreadPoolExecutor(3) as pool:
        results = sorted(pool.map(run, range(3)))
    assert results == [f"('{HEAD}', '{HEAD}')\n"] * 2 + [f"(None, '{HEAD}')\n"]


def test_a_failed_upgrade_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    source = ROOT / "api/request_log/migrations"
    for file in (*source.glob("*.*"), *source.glob("versions/*.py")):
        copy = folder / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text().replace("    if op.get", '    op.execute("bad SQL")\n    if op.get'))
    with monkeypatch.context() as patch:
        patch.setattr("api.request_log.migrating.MIGRATIONS", folder)
        with pytest.raises(RequestLogError, match="syntax"):
            migrate(url)
    with open_engine(url).connect() as connection:
        assert inspect(connection).get_table_names() == []
    assert migrate(url) == (None, HEAD)


def test_a_newer_database_is_refused(url: str, connection: Connection) -> None:
    with connection.begin():
        connection.execute(text("UPDATE request_log_revision SET version_num = '9999'"))
    with pytest.raises(RequestLogError, match="does not know"):
        migrate(url)


def test_a_revision_is_explained() -> None:
    assert explain_revision(HEAD) == ""
    assert "no tables yet" in explain_revision(None)
    assert "migrate" in explain_revision(REVISIONS[0])


def test_a_file_of_names_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "log" / "request_log.sqlite"
    migrate(sqlite_url(path))
    assert [stat.S_IMODE(place.stat().st_mode) for place in (path.parent, path)] == [0o700, 0o600]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "request_log.sqlite"
    path.write_bytes(b"garbage " * 1000)
    with pytest.raises(RequestLogError, match=rf"{path}: file is not a database\."):
        migrate(sqlite_url(path))
    with pytest.raises(RequestLogError, match="cannot be written"):
        migrate(sqlite_url(path / "below"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:secret@127.0.0.1:1/log",
        "postgresql+psycopg://user:sec/secret@127.0.0.1:1/log",
        "postgresql+psycopg://user:sec:secret@127.0.0.1:1/log",
        "postgresql+psycopg://user:sec@secret@127.0.0.1:1/log",
        "postgresql+psycopg://user:sec#secret@127.0.0.1:1/log",
        "postgresql+psycopg://user:sec%secret@127.0.0.1:port/log",
        "mysql://user:secret@127.0.0.1:1/log",
    ],
)
def test_a_database_that_does_not_answer_is_reported_without_its_password(url: str) -> None:
    with pytest.raises(RequestLogError, match=r"PostgreSQL: conn|URL of the database") as caught:
        migrate(url)
    assert "sec" not in str(caught.value)


def test_the_service_can_use_the_schema_without_the_libraries_of_the_commands() -> None:
    modules = ("schema", "partitions", "identifiers", "errors")
    code = f"""import sys, api.hash_keys
import {", ".join(f"api.request_log.{module}" for module in modules)}
print([module for module in ("sqlalchemy", "alembic", "typer") if module in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""A fresh database for each test, on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, insert, text
from typer.testing import CliRunner, Result

from api.request_log.__main__ import app
from api.request_log.engines import open_engine, sqlite_file, sqlite_url
from api.request_log.errors import RequestLogError
from api.request_log.identifiers import new_id
from api.request_log.migrating import migrate
from api.request_log.outbox_file import FILE
from api.request_log.partitions import Month, partition_sql
from api.request_log.schema import COLUMNS
from api.request_log.tables import feedback, prediction_request
from api.settings import PREFIX
from api.tests.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> str:
    return postgresql.url(postgresql.new_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "log" / FILE)
    url: str = request.getfixturevalue("postgresql_url")
    return url


@dataclass(frozen=True)
class RequestLog:
    """A database of the head revision, and how the command line is run on it."""

    url: str
    folder: Path

    def fill(self, rows: Sequence[Mapping[str, Any]], table: Table = prediction_request) -> None:
        """Insert rows; what they leave out is made up."""
        with open_engine(self.url).begin() as connection:
            if table is prediction_request and connection.dialect.name == "postgresql":
                for month in {Month.of(row["answered_at"]) for row in rows}:
                    connection.execute(text(partition_sql(month)))
            connection.execute(insert(table), [_complete(row, table) for row in rows])

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with open_engine(self.url).connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def run(self, *arguments: str, stdin: str = "", **settings: str) -> Result:
        """Run a command in this process, with the settings of this log."""
        places = {"REQUEST_LOG_DIR": str(self.folder), "DATABASE_URL": "" if sqlite_file(self.url) else self.url}
        environment = {f"{PREFIX}{name}": value for name, value in (places | settings).items()}
        result = CliRunner().invoke(app, arguments, input=stdin, env=environment)
        if isinstance(result.exception, Exception) and not isinstance(result.exception, RequestLogError):
            raise result.exception
        return result


def _complete(row: Mapping[str, Any], table: Table) -> dict[str, Any]:
    at = row.get("answered_at") or row.get("given_at") or datetime.now(UTC)
    common: dict[str, Any] = {
        "id": UUID(new_id(round(at.timestamp() * 1000))),
        "request_id": "request",
        "item_index": 0,
    }
    if table is feedback:
        return common | {"given_at": at, "api_key_name": None, **row}
    answer = {"route": "/v1/predict", "latency_seconds": 0.01, "status": 200}
    return dict.fromkeys(COLUMNS) | common | answer | dict(row)


@pytest.fixture
def request_log(url: str, tmp_path: Path) -> RequestLog:
    migrate(url)
    return RequestLog(url, tmp_path / "log")


@pytest.fixture
def postgresql_log(postgresql_url: str, tmp_path: Path) -> RequestLog:
    migrate(postgresql_url)
    return RequestLog(postgresql_url, tmp_path / "log")


@pytest.fixture
def sqlite_log(tmp_path: Path) -> RequestLog:
    log = RequestLog(sqlite_url(tmp_path / "log" / FILE), tmp_path / "log")
    migrate(log.url)
    return log

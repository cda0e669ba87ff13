"""Ids sort by time, and a month's partition takes exactly the ids of that month."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.request_log.identifiers import lower_bound, new_id, new_ids, time_of
from api.request_log.migrating import migrate
from api.request_log.partitions import Month, partition_sql
from api.tests.postgresql import PostgreSQL

TIMES = st.integers(min_value=0, max_value=(1 << 47) - 1)
MONTHS = st.builds(Month, st.integers(1970, 9000), st.integers(1, 12))


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@given(TIMES, st.integers(1, 50))
def test_an_id_is_a_uuid_of_version_7_that_holds_its_time(at: int, n: int) -> None:
    ids = new_ids(n, at)
    assert ids == sorted(set(ids)) and len(ids) == n
    for text in ids:
        identifier = UUID(text)
        assert (identifier.version, identifier.variant, identifier.hex) == (7, RFC_4122, text)
        assert milliseconds(time_of(text)) == at == milliseconds(time_of(identifier))


@given(TIMES, TIMES)
def test_a_later_id_sorts_behind_an_earlier_one(one: int, other: int) -> None:
    if one != other:
        assert (new_id(one) < new_id(other)) == (one < other)


def test_ids_of_one_moment_differ() -> None:
    assert len({identifier for _ in range(1000) for identifier in new_ids(3, 1)}) == 3000


@given(MONTHS)
def test_a_month_holds_its_first_and_last_millisecond_and_no_other(month: Month) -> None:
    lowest, limit = month.bounds()
    first, after = milliseconds(month.start), milliseconds(month.following().start)
    assert lowest < UUID(new_id(first)) and UUID(new_id(after - 1)) < limit < UUID(new_id(after))
    assert not first or UUID(new_id(first - 1)) < lowest
    assert Month.of(month.start) == Month.of_id(new_id(after - 1)) == month != Month.of_id(new_id(after))
    assert Month.of_partition(month.partition) == month


def test_a_month_is_one_of_utc() -> None:
    assert Month.of(datetime.fromisoformat("2026-12-01T00:30:00+02:00")) == Month(2026, 11)
    assert Month.of_partition("prediction_request_2026_13") is None


def test_times_before_1970_are_below_every_id() -> None:
    assert lower_bound(datetime(1969, 1, 1, tzinfo=UTC)).int == 0


@pytest.fixture
def connection(postgresql: PostgreSQL) -> psycopg.Connection:
    database = postgresql.new_database()
    migrate(postgresql.url(database))
    return psycopg.connect(postgresql.conninfo(database), autocommit=True)


def insert(connection: psycopg.Connection, at: datetime) -> str:
    (table,) = connection.execute(
        "INSERT INTO prediction_request (id, request_id, answered_at, route, latency_seconds, status)"
        " VALUES (%s, 'r', %s, '/v1/predict', 0.1, 200) RETURNING tableoid::regclass::text",
        (new_id(milliseconds(at)), at),
    ).fetchone() or ("",)
    return str(table)


def test_rows_go_to_the_partition_of_their_month(connection: psycopg.Connection) -> None:
    months = [Month(2026, 11), Month(2026, 12)]
    for month in [*months, *months]:  # the second time there is nothing to do
        connection.execute(partition_sql(month))
    for month in months:
        assert insert(connection, month.start) == month.partition
        assert insert(connection, month.following().start - timedelta(milliseconds=1)) == month.partition
    with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
        insert(connection, Month(2027, 1).start)
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass"
    assert connection.execute(indexes, (months[0].partition,)).fetchone() == (3,)
    connection.close()


def test_a_partition_is_made_while_others_read_and_write(connection: psycopg.Connection) -> None:
    connection.execute(partition_sql(Month(2026, 11)))
    with psycopg.connect(connection.info.dsn) as reader:
        insert(reader, Month(2026, 11).start)
        reader.execute("SELECT * FROM prediction_request")
        connection.execute("SET lock_timeout = '2s'")
        connection.execute(partition_sql(Month(2026, 12)))
    connection.close()

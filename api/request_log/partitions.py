"""Monthly partitions of prediction_request in PostgreSQL: a month of UTC is a range of ids."""

import re
from datetime import UTC, datetime
from typing import NamedTuple, Self
from uuid import UUID

from api.request_log.identifiers import lower_bound, time_of
from api.request_log.schema import PARTITION_LOCK, PREDICTION_REQUEST

_PARTITION_NAME = re.compile(rf"{PREDICTION_REQUEST}_(\d{{4}})_(0[1-9]|1[0-2])")


class Month(NamedTuple):
    """A month of UTC, and the partition that holds its rows."""

    year: int
    month: int

    @classmethod
    def of(cls, at: datetime) -> Self:
        """Return the month of a time."""
        at = at.astimezone(UTC)
        return cls(at.year, at.month)

    @classmethod
    def of_id(cls, identifier: UUID | str) -> Self:
        """Return the month of an id."""
        return cls.of(time_of(identifier))

    @classmethod
    def of_partition(cls, table: str) -> Self | None:
        """Return the month of a partition's name, None if it is no such name."""
        match = _PARTITION_NAME.fullmatch(table)
        return cls(int(match[1]), int(match[2])) if match else None

    @property
    def partition(self) -> str:
        """The name of the month's partition."""
        return f"{PREDICTION_REQUEST}_{self.year:04}_{self.month:02}"

    @property
    def start(self) -> datetime:
        """The first moment of the month."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def following(self) -> Self:
        """Return the month after this one."""
        return type(self)(self.year + self.month // 12, self.month % 12 + 1)

    def bounds(self) -> tuple[UUID, UUID]:
        """Return the lowest id of the month, and the lowest one after it."""
        return lower_bound(self.start), lower_bound(self.following().start)


def partition_sql(month: Month) -> str:
    """Return the statement that makes the partition of a month, if it is missing; it may run in any transaction.

    A table of its own that is then attached: PARTITION OF would lock out whoever reads or writes any month. The lock
    keeps several writers at the turn of a month from making it at once.
    """
    lowest, limit = month.bounds()
    return f"""
DO $$ BEGIN
    PERFORM pg_advisory_xact_lock({PARTITION_LOCK});
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('{month.partition}')) THEN
        CREATE TABLE IF NOT EXISTS {month.partition} (LIKE {PREDICTION_REQUEST} INCLUDING ALL);
        ALTER TABLE {PREDICTION_REQUEST} ATTACH PARTITION {month.partition} FOR VALUES FROM ('{lowest}') TO ('{limit}');
    END IF;
END $$"""  # noqa: S608 - made of numbers and constants

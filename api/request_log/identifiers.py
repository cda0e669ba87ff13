"""UUIDs of version 7 (RFC 9562): they sort by time, so a range of time is a range of ids."""

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

_TIME_SHIFT = 80
_VERSION_AND_VARIANT = 7 << 76 | 2 << 62
_COUNTER_BITS = 61
"""The low random bits, less one that stays free, so that counting up from them never reaches the variant."""
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_ids(n: int, milliseconds: int) -> list[str]:
    """Return n ascending ids of a Unix time in milliseconds, each as 32 hexadecimal digits.

    They count up from one random number: 1,000 items of a request cost one call of the system, and stay in order.
    """
    random = int.from_bytes(os.urandom(10))
    first = (
        milliseconds << _TIME_SHIFT
        | _VERSION_AND_VARIANT
        | (random >> _COUNTER_BITS & 0xFFF) << 64
        | random & (1 << _COUNTER_BITS) - 1
    )
    return [f"{first + i:032x}" for i in range(n)]


def new_id(milliseconds: int) -> str:
    """Return an id of a Unix time in milliseconds, as 32 hexadecimal digits."""
    return new_ids(1, milliseconds)[0]


def time_of(identifier: UUID | str) -> datetime:
    """Return the time of an id in UTC, to the millisecond; a string has 32 hexadecimal digits."""
    value = identifier.int if isinstance(identifier, UUID) else int(identifier, 16)
    return _EPOCH + (value >> _TIME_SHIFT) * _MILLISECOND


def lower_bound(at: datetime) -> UUID:
    """Return what is at or below every id of a time or later, and above every earlier one, to the millisecond.

    Times before 1970 count as 1970.
    """
    return UUID(int=max((at - _EPOCH) // _MILLISECOND, 0) << _TIME_SHIFT)

"""UUIDs of version 7 (RFC 9562): they sort by time, so a range of time is a range of ids."""

import os
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from uuid import UUID

_TIME_SHIFT = 80
_VERSION_AND_VARIANT = 7 << 76 | 2 << 62
_COUNTER_BITS = 61
"""The low random bits, less one that stays free, so that counting up from them never reaches the variant."""
_random = int.from_bytes(os.urandom(10))
_low_bits = count(_VERSION_AND_VARIANT | (_random >> _COUNTER_BITS & 0xFFF) << 64 | _random & (1 << _COUNTER_BITS) - 1)
"""Of the ids of this process: they count up from a random number, so no two are the same, and all stay in order."""
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_ids(n: int, milliseconds: int) -> list[str]:
    """Return n ascending ids of a Unix time in milliseconds, each as 32 hexadecimal digits."""
    time = milliseconds << _TIME_SHIFT
    return [f"{time | low_bits:032x}" for low_bits in islice(_low_bits, n)]


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

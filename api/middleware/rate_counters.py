"""What counters of requests and names have in common.

Fixed windows that open with a caller's own first charge: one count a window, a reset that is known exactly, and no
moment at which everybody's quota comes back at once. The price is that two full quotas may follow each other closely.
"""

from collections.abc import Sequence
from typing import NamedTuple

from api.rate_limit_syntax import Limit


class Usage(NamedTuple):
    """How much of a limit is used, and in how many seconds it is whole again."""

    limit: Limit
    used: int
    resets_in: float


class Charge(NamedTuple):
    """Something to count against each limit of a caller; it fits into all of them, or costs nothing."""

    counted_as: str
    limits: Sequence[Limit]
    cost: int


class Outcome(NamedTuple):
    """What became of a charge, and how much is used after it."""

    admitted: bool
    usages: Sequence[Usage]


class StorageDownError(Exception):
    """The shared storage does not answer in time."""

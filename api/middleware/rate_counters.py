"""How many requests a caller has made in each window of its limits. Knows no HTTP and no keys.

Fixed windows that open with a caller's own first request: one count a window, a reset that is known exactly, and no
moment at which everybody's quota comes back at once. The price is that two full quotas may follow each other closely.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

MEMORY = "memory://"
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_LIMIT = re.compile(rf"\s*(\d{{1,10}})\s*(?:/|\sper\s)\s*(\d{{1,5}})?\s*({'|'.join(_SECONDS)})s?\s*", re.IGNORECASE)
_MAX_CALLERS = 50_000
_SHARED_SECONDS = 0.25
_PAUSE_SECONDS = 1.0


class Limit(NamedTuple):
    """At most `amount` requests in `seconds`; `name` says so in words, such as "50 per 1 second"."""

    name: str
    amount: int
    seconds: int


class Usage(NamedTuple):
    """How much of a limit is used, and in how many seconds it is whole again; `used` passes the amount if refused."""

    limit: Limit
    used: int
    resets_in: float


class StorageDownError(Exception):
    """The shared storage does not answer in time."""


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Read "50/second;1000/minute" (the syntax of the library `limits`), shortest window first; "" is no limit.

    Raises:
        ValueError: the text is no list of limits.
    """
    limits = set()
    for part in text.split(";") if text else ():
        # not by `limits` itself: importing it takes a tenth of a second of every start
        match = _LIMIT.fullmatch(part)
        if not match or not 1 <= int(match[1]) <= 10**9 or not 1 <= int(match[2] or 1) <= 10**4:
            raise ValueError("give limits such as 50/second;1000/minute, each from 1 to a billion requests")
        amount, multiple, unit = int(match[1]), int(match[2] or 1), match[3].lower()
        limits.add(Limit(f"{amount} per {multiple} {unit}", amount, multiple * _SECONDS[unit]))
    return tuple(sorted(limits, key=lambda limit: (limit.seconds, limit.amount)))


class _Window:
    """The callers of one limit, the one whose window ends first in front."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._callers: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def count(self, caller: str, hits: int, now: float) -> tuple[int, float]:
        """Add hits; return those of the caller's window, and when it ends."""
        used, ends_at = self._callers.get(caller, (0, 0.0))
        if ends_at <= now:
            self._callers.pop(caller, None)
            self._forget(now)
            used, ends_at = 0, now + self._seconds
        self._callers[caller] = counted = (used + hits, ends_at)
        return counted

    def _forget(self, now: float) -> None:
        """Drop callers whose window has ended, or the oldest of too many; two for each new one keeps the room small."""
        for _ in range(2):
            caller, (_, ends_at) = next(iter(self._callers.items()), ("", (0, now + 1)))
            if ends_at > now and len(self._callers) < _MAX_CALLERS:
                break
            del self._callers[caller]


class MemoryCounters:
    """Counts of this process alone.

    Not the MemoryStorage of `limits`: it looks at every caller a hundred times a second, in a new thread each time.
    """

    def __init__(self) -> None:
        self._windows: dict[Limit, _Window] = {}

    def spend(self, limits: Sequence[Limit], caller: str) -> list[Usage]:
        """Count one request against each limit, shortest first; once one is passed, the others are only read."""
        now = time.monotonic()
        usages, hits = [], 1
        for limit in limits:
            window = self._windows.get(limit) or self._windows.setdefault(limit, _Window(limit.seconds))
            used, ends_at = window.count(caller, hits, now)
            usages.append(Usage(limit, used, ends_at - now))
            if used > limit.amount:
                hits = 0
        return usages


class RedisCounters:
    """Counts that many processes share; after a failure it is left alone for a second, so that no request queues."""

    def __init__(self, url: str) -> None:
        from limits.aio.storage import RedisStorage
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self._storage = RedisStorage(
            f"async+{url}",
            implementation="redispy",
            wrap_exceptions=True,
            key_prefix="name-classifier",
            retry=Retry(NoBackoff(), 1),  # a connection that Redis closed meanwhile is opened again
        )
        self._asks_again_at = 0.0

    async def spend(self, limits: Sequence[Limit], caller: str) -> list[Usage]:
        """Count one request as `MemoryCounters.spend` does.

        Raises:
            StorageDownError: Redis does not answer, or did not a moment ago.
        """
        from limits.errors import StorageError

        if time.monotonic() < self._asks_again_at:
            raise StorageDownError("Redis did not answer a moment ago")
        try:
            async with asyncio.timeout(_SHARED_SECONDS):
                return await self._spend(limits, caller)
        except (StorageError, OSError, TimeoutError) as error:
            self._asks_again_at = time.monotonic() + _PAUSE_SECONDS
            cause = error.__cause__ or error  # its message may hold the address, so only the type is told
            raise StorageDownError(f"Redis does not answer ({type(cause).__name__})") from None

    async def _spend(self, limits: Sequence[Limit], caller: str) -> list[Usage]:
        usages, refused = [], False
        for limit in limits:
            key = f"{caller}/{limit.amount}/{limit.seconds}"
            used = await (self._storage.get(key) if refused else self._storage.incr(key, limit.seconds))
            refused = refused or used > limit.amount
            # Redis rounds what is left to the nearest second; never promise too early
            resets_in = await self._storage.get_expiry(key) - time.time() + 0.5
            usages.append(Usage(limit, used, resets_in))
        return usages

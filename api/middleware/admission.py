"""Is a request let in? Whose key it holds, and what is left of the caller's quota. Knows neither ASGI nor routes.

It asks for headers and an address alone, so that the fast lane can put the same question.
"""

import logging
import time
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from math import ceil
from typing import NamedTuple

from api.middleware.api_keys import KeyRing, sent_key
from api.middleware.rate_counters import (
    MEMORY,
    Limit,
    MemoryCounters,
    RedisCounters,
    StorageDownError,
    Usage,
    parse_limits,
)
from api.observability.metrics import Metrics
from api.settings import Settings

logger = logging.getLogger("api")

Headers = Sequence[tuple[bytes, bytes]]
_LOG_SECONDS = 60.0


class Verdict(NamedTuple):
    """What to do with a request."""

    refusal: tuple[int, str] | None
    """Status and sentence, or None for a request that is let in."""
    headers: Headers
    """What to add to whatever answer is given."""
    caller: str
    """Name of the key, "" without keys."""


class _Policy(NamedTuple):
    """The limits of a caller, and how they are announced."""

    limits: tuple[Limit, ...]
    header: tuple[bytes, bytes]

    @classmethod
    def parse(cls, text: str) -> "_Policy":
        limits = parse_limits(text)
        announced = ", ".join(f'"{limit.name}";q={limit.amount};w={limit.seconds}' for limit in limits)
        return cls(limits, (b"ratelimit-policy", announced.encode()))


class _Caller(NamedTuple):
    """Who asks: the name of the key, the limits that hold, and the name that is counted by."""

    caller: str
    policy: _Policy
    counted_as: str


_CHALLENGE = ((b"www-authenticate", b"Bearer"),)
_NO_KEY = Verdict((401, "Send an API key as Authorization: Bearer KEY, or as X-API-Key."), _CHALLENGE, "")
_WRONG_KEY = Verdict((401, "This API key is not known."), _CHALLENGE, "")


class Admission:
    """Keys and limits of one app; `immediate` says that `admit` may be used, else only `admit_async`."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._keys = KeyRing(settings.api_keys)
        self._common = _Policy.parse(settings.rate_limit)
        self._own = {key.name: _Policy.parse(key.limit) for key in settings.api_keys if key.limit}
        self._memory = MemoryCounters()
        self.needed = bool(self._keys or self._common.limits)
        """Whether any request can be refused."""
        shared = settings.rate_limit_storage != MEMORY and (self._common.limits or self._own)
        self._shared = RedisCounters(settings.rate_limit_storage) if shared else None
        self.immediate = self._shared is None
        self.by_address = bool(self._common.limits) and not self._keys
        """Whether callers are told apart by their address."""
        self._logs_again_at = 0.0

    def admit(self, headers: Headers, client: str) -> Verdict:
        """Judge a request by its headers, their names in lower case, and the client's address."""
        known = self._identify(headers, client)
        if isinstance(known, Verdict):
            return known
        return _judge(known, self._memory.spend(known.policy.limits, known.counted_as))

    async def admit_async(self, headers: Headers, client: str) -> Verdict:
        """Judge as `admit` does, by counts in Redis; while it is down, every known caller is let in."""
        if self._shared is None:
            return self.admit(headers, client)
        known = self._identify(headers, client)
        if isinstance(known, Verdict):
            return known
        try:
            usages = await self._shared.spend(known.policy.limits, known.counted_as)
        except StorageDownError as error:
            self._report(error)
            return Verdict(None, (), known.caller)
        return _judge(known, usages)

    def _identify(self, headers: Headers, client: str) -> "_Caller | Verdict":
        """Return who asks if that is to be counted, else the verdict: refused for the key, or without limits."""
        caller = ""
        if self._keys:
            sent = sent_key(headers)
            if not sent:
                return _NO_KEY
            caller = self._keys.owner(sent)
            if not caller:
                return _WRONG_KEY
        policy = self._own.get(caller, self._common)
        if not policy.limits:
            return Verdict(None, (), caller)
        return _Caller(caller, policy, caller or _counted_as(client))

    def _report(self, error: StorageDownError) -> None:
        self._metrics.rate_limit_errors.inc()
        if (now := time.monotonic()) >= self._logs_again_at:
            self._logs_again_at = now + _LOG_SECONDS
            logger.warning("limits are not checked", extra={"reason": str(error)})


@lru_cache(maxsize=10_000)
def _counted_as(client: str) -> str:
    """Return the address that a client is counted by: one network of IPv6 is one caller, it has 2^64 addresses."""
    try:
        address = IPv6Address(client)
    except ValueError:
        return client
    return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))


def _judge(known: _Caller, usages: Sequence[Usage]) -> Verdict:
    """Return the verdict on a request that has been counted."""
    left = ", ".join(
        f'"{limit.name}";r={max(limit.amount - used, 0)};t={ceil(resets_in)}' for limit, used, resets_in in usages
    )
    headers = (known.policy.header, (b"ratelimit", left.encode()))
    if all(used <= limit.amount for limit, used, _ in usages):
        return Verdict(None, headers, known.caller)
    wait = max(1, *(ceil(resets_in) for limit, used, resets_in in usages if used >= limit.amount))
    sentence = f"Too many requests; try again in {wait} second{'s' * (wait > 1)}."
    return Verdict((429, sentence), (*headers, (b"retry-after", b"%d" % wait)), known.caller)

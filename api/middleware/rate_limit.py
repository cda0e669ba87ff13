"""Limits on the requests and names of each caller, and how they are announced."""

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from api.context import Caller, RequestContext, context_of
from api.errors import LimitsUnavailableError, RateLimitedError
from api.middleware.api_keys import KeyRing
from api.middleware.memory_counters import MemoryCounters
from api.middleware.rate_counters import Charge, Outcome, StorageDownError
from api.middleware.redis_counters import RedisCounters
from api.name_quota import NameQuota
from api.observability.metrics import Metrics
from api.problems import limits_unavailable, rate_limited
from api.rate_limit_syntax import Limit, parse_limits
from api.settings import MEMORY, RateLimitFailure, Settings

logger = logging.getLogger("api")

Headers = Sequence[tuple[bytes, bytes]]

_LOG_SECONDS = 60.0
_RETRY_SECONDS = 1.0
_SHORTEST_SLEEP = 0.01
_SLICES = 10
"""Parts of a quota that a stream takes one by one: all at once would never fit beside a trickle of other requests."""
_REQUESTS, _NAMES = "requests", "names"


class Policy(NamedTuple):
    """The limits of a caller on requests or on names, and the header that announces them."""

    unit: str
    limits: tuple[Limit, ...]
    labels: tuple[str, ...]
    """Names of the limits in headers."""
    header: tuple[bytes, bytes]


@lru_cache(1000)
def _policy(unit: str, text: str) -> Policy:
    limits = parse_limits(text)
    labels = tuple(limit.name if unit == _REQUESTS else f"{unit}: {limit.name}" for limit in limits)
    announced = (f'"{label}";q={limit.amount};w={limit.seconds}' for label, limit in zip(labels, limits, strict=True))
    return Policy(unit, limits, labels, (b"ratelimit-policy", ", ".join(announced).encode()))


class RateLimiter:
    """Counts what callers ask for, in this process or in a Redis that processes share."""

    def __init__(self, settings: Settings, keys: KeyRing, metrics: Metrics) -> None:
        self._keys = keys
        self._metrics = metrics
        self._request_limit = settings.rate_limit
        self._name_limit = settings.name_rate_limit
        self._closed = settings.rate_limit_failure is RateLimitFailure.CLOSED
        self._memory = MemoryCounters()
        self._redis = None if settings.rate_limit_storage == MEMORY else RedisCounters(settings.rate_limit_storage)
        self._logs_again_at = 0.0

    @property
    def needed(self) -> bool:
        """Whether any caller has limits, or may get some with the next list of keys."""
        return bool(self._keys.required or self._request_limit or self._name_limit)

    def request_policy(self, caller: Caller) -> Policy:
        """Return the limits on a caller's requests."""
        key = self._keys.named(caller.name)
        return _policy(_REQUESTS, (key and key.limit) or self._request_limit)

    def name_quota(self, context: RequestContext) -> NameQuota:
        """Return the quota of names that a request draws on."""
        key = self._keys.named(context.caller.name)
        policy = _policy(_NAMES, (key and key.name_limit) or self._name_limit)
        return LimitedNames(self, policy, context) if policy.limits else NameQuota.unlimited

    async def charge(self, policy: Policy, caller: Caller, cost: int) -> Headers:
        """Count a cost, and return the headers that say what is left.

        Raises:
            RateLimitedError: it does not fit; costs nothing.
            LimitsUnavailableError: Redis does not answer, and nothing may pass uncounted.
        """
        if not policy.limits:
            return ()
        charge = Charge(f"{policy.unit}/{caller.identity}", policy.limits, cost)
        if self._redis is None:
            return _judge(policy, cost, self._memory.charge(charge))
        try:
            outcome = await self._redis.charge(charge)
        except StorageDownError as error:
            self._report(error)
            if self._closed:
                raise LimitsUnavailableError from None
            return ()
        return _judge(policy, cost, outcome)

    async def close(self) -> None:
        """Close what connects to the shared storage."""
        if self._redis:
            await self._redis.close()

    def _report(self, error: StorageDownError) -> None:
        self._metrics.rate_limit_errors.inc()
        if (now := time.monotonic()) >= self._logs_again_at:
            self._logs_again_at = now + _LOG_SECONDS
            done = "requests are refused" if self._closed else "requests are let in uncounted"
            logger.warning("limits cannot be checked, %s", done, extra={"reason": str(error)})


def _judge(policy: Policy, cost: int, outcome: Outcome) -> Headers:
    left = ", ".join(
        [
            f'"{label}";r={max(limit.amount - used, 0)};t={ceil(resets_in)}'
            for label, (limit, used, resets_in) in zip(policy.labels, outcome.usages, strict=True)
        ]
    )
    headers = (policy.header, (b"ratelimit", left.encode()))
    if outcome.admitted:
        return headers
    smallest = min(limit.amount for limit in policy.limits)
    if cost > smallest:
        sentence = f"The limit admits at most {smallest} {policy.unit} at once; send fewer in one request."
        raise RateLimitedError(sentence, None, headers)
    wait = max(resets_in for limit, used, resets_in in outcome.usages if used + cost > limit.amount)
    seconds = max(1, ceil(wait))
    sentence = f"Too many {policy.unit}; try again in {seconds} second{'s' * (seconds > 1)}."
    raise RateLimitedError(sentence, wait, headers)


class LimitedNames(NameQuota):
    """The quota of names of one request."""

    def __init__(self, limiter: RateLimiter, policy: Policy, context: RequestContext) -> None:
        self._limiter = limiter
        self._policy = policy
        self._context = context
        self.slice_size = max(1, min(limit.amount for limit in policy.limits) // _SLICES)

    async def charge(self, n: int) -> None:
        """Charge n names, or none of them."""
        if n > 0:
            self._context.response_headers += await self._limiter.charge(self._policy, self._context.caller, n)

    async def wait_for(self, n: int) -> None:
        """Charge n names as they fit; while the storage is down and nothing may pass uncounted, wait for it."""
        while n > 0:
            part = min(n, self.slice_size)
            try:
                await self._limiter.charge(self._policy, self._context.caller, part)
            except RateLimitedError as error:
                await asyncio.sleep(max(error.wait_seconds or 0, _SHORTEST_SLEEP))
            except LimitsUnavailableError:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                n -= part


class RateLimit:
    """Charge each request and give it its quota of names; answer 429, or 503, for whoever is refused below."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter, open_paths: frozenset[str]) -> None:
        self._app = app
        self._limiter = limiter
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        context = context_of(scope)
        try:
            policy = self._limiter.request_policy(context.caller)
            context.response_headers += await self._limiter.charge(policy, context.caller, 1)
            context.names = self._limiter.name_quota(context)
            await self._app(scope, receive, send)
        except RateLimitedError as error:
            await rate_limited(scope, error)(scope, receive, send)
        except LimitsUnavailableError:
            await limits_unavailable()(scope, receive, send)

"""Counts that many processes share in Redis: one atomic script a charge, one round trip for all that wait."""

import asyncio
import hashlib
import time
from collections.abc import Sequence

from api.middleware.rate_counters import Charge, Outcome, StorageDownError, Usage

_LOOKS = 50
_LOOK_SECONDS = 0.005
_PAUSE_SECONDS = 1.0

# A key a window and, behind the cost, amount and length of each; Redis' own clock ends the windows.
_SCRIPT = """
local cost, admitted = tonumber(ARGV[1]), 1
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or 0) + cost > tonumber(ARGV[2 * i]) then admitted = 0 end
end
local result = {admitted}
for i, key in ipairs(KEYS) do
  if admitted == 1 then
    redis.call('INCRBY', key, cost)
    if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ARGV[2 * i + 1]) end
  end
  result[2 * i] = tonumber(redis.call('GET', key) or 0)
  result[2 * i + 1] = math.max(redis.call('PTTL', key), 0)
end
return result
"""
_SCRIPT_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisCounters:
    """Charges wait for the one that is on its way and then go together, so no crowd needs more than one connection.

    After a failure Redis is left alone for a second, so that no request queues.
    """

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        # no second try: a charge that was counted and whose answer was lost would be counted twice
        self._redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0))
        self._waiting: list[tuple[Charge, asyncio.Future[Outcome]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._paused_until = 0.0

    async def charge(self, charge: Charge) -> Outcome:
        """Count a charge if it fits into every limit.

        Raises:
            StorageDownError: Redis does not answer, or did not a moment ago.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((charge, future))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        return await future

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def _send_all(self) -> None:
        """Send what waits, and what has come meanwhile, until nothing does."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                outcomes: Sequence[Outcome | StorageDownError] = await self._send([charge for charge, _ in batch])
            except StorageDownError as error:
                outcomes = [error] * len(batch)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _settle(future, outcome)

    async def _send(self, charges: Sequence[Charge]) -> list[Outcome]:
        if time.monotonic() < self._paused_until:
            raise StorageDownError("Redis did not answer a moment ago")
        try:
            return await _in_time(asyncio.create_task(self._execute(charges)))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            # its message may hold the address, so only the type is told
            raise StorageDownError(f"Redis does not answer ({type(error).__name__})") from None

    async def _execute(self, charges: Sequence[Charge]) -> list[Outcome]:
        """Run the script for each charge, in one round trip; it is loaded every time, for Redis may have restarted."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.script_load(_SCRIPT)
            for charge in charges:
                pipeline.evalsha(_SCRIPT_SHA, len(charge.limits), *_arguments(charge))
            _, *results = await pipeline.execute()
        return [_outcome(charge, result) for charge, result in zip(charges, results, strict=True)]


async def _in_time(task: asyncio.Task[list[Outcome]]) -> list[Outcome]:
    """Return the result of a task if it comes within a quarter of a second, or 50 turns of the event loop if longer.

    By the clock alone, a busy loop would look like a silent Redis, and a crowd would lift the limits for itself.
    """
    for _ in range(_LOOKS):
        done, _ = await asyncio.wait({task}, timeout=_LOOK_SECONDS)
        if done:
            return task.result()
    task.cancel()
    await asyncio.wait({task}, timeout=_LOOKS * _LOOK_SECONDS)  # closes the connection, for an answer may still come
    raise TimeoutError


def _arguments(charge: Charge) -> list[str | int]:
    """Return keys, of one slot of a cluster, and arguments of the script."""
    keys = [f"name-classifier:{{{charge.counted_as}}}:{limit.seconds}" for limit in charge.limits]
    bounds = [number for limit in charge.limits for number in (limit.amount, limit.seconds * 1000)]
    return [*keys, charge.cost, *bounds]


def _outcome(charge: Charge, result: Sequence[int]) -> Outcome:
    admitted, *numbers = result
    usages = [
        Usage(limit, used, milliseconds / 1000)
        for limit, used, milliseconds in zip(charge.limits, numbers[::2], numbers[1::2], strict=True)
    ]
    return Outcome(bool(admitted), usages)


def _settle(future: asyncio.Future[Outcome], outcome: Outcome | StorageDownError) -> None:
    if future.done():  # the request was cancelled
        return
    if isinstance(outcome, StorageDownError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)

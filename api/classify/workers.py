"""Threads for work that would hold the event loop up, and a bounded queue before them."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from api.errors import OverloadedError

T = TypeVar("T")

_THREADS = 2
_MAX_WAITING = 32
"""A second or two of the largest requests on one core; who comes later would only wait longer."""


class Workers:
    """Runs functions in threads; of one app, on one event loop."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(_THREADS)
        self._stream_limiter = CapacityLimiter(_THREADS)

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Return what the function does, run in a thread. Raises OverloadedError if too many wait already."""
        if self._limiter.statistics().tasks_waiting >= _MAX_WAITING:
            raise OverloadedError
        return await run_sync(function, *args, limiter=self._limiter)

    async def run_for_stream(self, function: Callable[..., T], *args: object) -> T:
        """Return what the function does, run in a thread, however long it waits: streams are bounded by their number.

        They queue by themselves: many of them take no place in the queue of requests.
        """
        return await run_sync(function, *args, limiter=self._stream_limiter)

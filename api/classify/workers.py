"""Threads for work that would hold the event loop up, and a bounded queue before them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from api.errors import OverloadedError

T = TypeVar("T")

_THREADS = 2
_MAX_WAITING = 32
"""A second or two of the largest requests on one core; who comes later would only wait longer."""


class Pause:
    """Holds new work up while something else needs its memory, for some seconds at most: that may never end."""

    def __init__(self, longest_seconds: float = 5.0) -> None:
        self._longest_seconds = longest_seconds
        self._over = Event()
        self._over.set()
        self._ends_at = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold work up meanwhile."""
        self._ends_at = monotonic() + self._longest_seconds
        self._over.clear()
        try:
            yield
        finally:
            self._over.set()

    def wait(self) -> None:
        """Return once work may begin."""
        self._over.wait(max(0.0, self._ends_at - monotonic()))


class Workers:
    """Runs functions in threads, none while they are paused; of one app, on one event loop."""

    def __init__(self, pause: Pause | None = None) -> None:
        self._pause = pause or Pause()
        self._limiter = CapacityLimiter(_THREADS)
        self._stream_limiter = CapacityLimiter(_THREADS)

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Return what the function does, run in a thread. Raises OverloadedError if too many wait already."""
        if self._limiter.statistics().tasks_waiting >= _MAX_WAITING:
            raise OverloadedError
        return await run_sync(self._run, function, *args, limiter=self._limiter)

    async def run_for_stream(self, function: Callable[..., T], *args: object) -> T:
        """Return what the function does, run in a thread, however long it waits: streams are bounded by their number.

        They queue by themselves: many of them take no place in the queue of requests.
        """
        return await run_sync(self._run, function, *args, limiter=self._stream_limiter)

    def _run(self, function: Callable[..., T], *args: object) -> T:
        self._pause.wait()
        return function(*args)

"""Counts of this process alone."""

import time
from collections import OrderedDict

from api.middleware.rate_counters import Charge, Outcome, Usage

_MAX_CALLERS = 50_000


class MemoryCounters:
    """Counts in windows by their length; for use on the event loop only, where each charge is atomic."""

    def __init__(self) -> None:
        self._windows: dict[int, _Window] = {}

    def charge(self, charge: Charge) -> Outcome:
        """Count a charge if it fits into every limit."""
        now = time.monotonic()
        caller, limits, cost = charge
        windows = [self._windows.get(limit.seconds) or self._open(limit.seconds) for limit in limits]
        counts = [window.count(caller, now) for window in windows]
        admitted = all(used + cost <= limit.amount for limit, (used, _) in zip(limits, counts, strict=True))
        if admitted:
            counts = [window.add(caller, cost, now) for window in windows]
        return Outcome(
            admitted, [Usage(limit, used, ends_at - now) for limit, (used, ends_at) in zip(limits, counts, strict=True)]
        )

    def _open(self, seconds: int) -> "_Window":
        return self._windows.setdefault(seconds, _Window(seconds))


class _Window:
    """The callers of one length of window, the one whose window ends first in front."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._callers: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def count(self, caller: str, now: float) -> tuple[int, float]:
        """Return what is used of a caller's window, and when it ends: now, if it has none."""
        used, ends_at = self._callers.get(caller, (0, now))
        return (used, ends_at) if ends_at > now else (0, now)

    def add(self, caller: str, cost: int, now: float) -> tuple[int, float]:
        """Count a cost, and return as `count` does."""
        used, ends_at = self.count(caller, now)
        if not used:
            self._callers.pop(caller, None)
            self._forget(now)
            ends_at = now + self._seconds
        self._callers[caller] = counted = (used + cost, ends_at)
        return counted

    def _forget(self, now: float) -> None:
        """Drop callers whose window has ended, or the oldest of too many; two for each new one keeps the room small."""
        for _ in range(2):
            caller, (_, ends_at) = next(iter(self._callers.items()), ("", (0, now + 1)))
            if ends_at > now and len(self._callers) < _MAX_CALLERS:
                break
            del self._callers[caller]

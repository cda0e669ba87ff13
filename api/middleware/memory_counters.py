"""Counts of this process alone."""

import time
from collections import OrderedDict

from api.middleware.rate_counters import Charge, Outcome, Usage

_MAX_CALLERS = 50_000
_HAIR = 1e-6  # seconds by which a whole window may be longer as the difference of two floats; it would be rounded up


class MemoryCounters:
    """Counts in windows by their length; for use on the event loop only, where each charge is atomic."""

    def __init__(self) -> None:
        self._windows: dict[int, _Window] = {}

    def charge(self, charge: Charge) -> Outcome:
        """Count a charge if it fits into every limit."""
        now = time.monotonic()
        caller, limits, cost = charge
        counts = [(limit, self._window(limit.seconds).count(caller, now)) for limit in limits]
        admitted = not [limit for limit, count in counts if count.used + cost > limit.amount]
        if admitted:
            for _, count in counts:
                count.used += cost
        return Outcome(admitted, [Usage(limit, count.used, count.ends_at - now - _HAIR) for limit, count in counts])

    def _window(self, seconds: int) -> "_Window":
        return self._windows.get(seconds) or self._windows.setdefault(seconds, _Window(seconds))


class _Count:
    """What a caller has used of a window."""

    __slots__ = ("ends_at", "used")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.used = 0


class _Window:
    """The callers of one length of window, the one whose window ends first in front."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._callers: OrderedDict[str, _Count] = OrderedDict()

    def count(self, caller: str, now: float) -> _Count:
        """Return the count of a caller, a new one if there is none whose window is open."""
        count = self._callers.get(caller)
        if count is None or count.ends_at <= now:
            self._callers.pop(caller, None)
            self._forget(now)
            count = self._callers[caller] = _Count(now + self._seconds)
        return count

    def _forget(self, now: float) -> None:
        """Drop callers whose window has ended, or the oldest of too many; two for each new one keeps the room small."""
        for _ in range(2):
            caller = next(iter(self._callers), None)
            if caller is None or (self._callers[caller].ends_at > now and len(self._callers) < _MAX_CALLERS):
                break
            del self._callers[caller]

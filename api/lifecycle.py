"""Whether the process is about to end: set by the server, asked by readiness and by long answers."""

import time
from dataclasses import dataclass
from math import inf

_LAST_LINE_SECONDS = 3.0
"""Left for the last line of a stream to be written and read, before the process ends without waiting any longer."""


@dataclass(slots=True)
class Lifecycle:
    """State of the process."""

    draining: bool = False
    """SIGTERM has come: not ready any more, connections end with their answer."""
    streams_end_at: float = inf
    """When streams that still go on have to end by themselves, by `time.monotonic`."""

    def drain(self, seconds: float) -> None:
        """Begin to drain; whatever is in flight is cut off after so many seconds."""
        self.draining = True
        self.streams_end_at = time.monotonic() + max(0, seconds - _LAST_LINE_SECONDS)

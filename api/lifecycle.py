"""Whether the process is about to end: set by the server, asked by readiness and by long answers."""

from dataclasses import dataclass


@dataclass(slots=True)
class Lifecycle:
    """State of the process."""

    draining: bool = False
    """SIGTERM has come: not ready any more, connections end with their answer."""

"""Bounds on connections: how long a client may take, and how many there may be."""

from dataclasses import dataclass

_OTHER_DESCRIPTORS = 64
"""Files that the process needs beside connections: the bundle, Redis, the log, libraries."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds that every connection is held to."""

    max_connections: int
    reserve: int
    """Connections beyond the bound that are heard, and answered if they ask a probe."""
    head_seconds: float
    body_seconds: float
    idle_seconds: float
    max_unsent_bytes: int
    """What all clients together have not read yet of their answers, beside what the system holds of each."""
    probe_paths: frozenset[bytes]
    stream_paths: frozenset[bytes]


def usable_connections(wanted: int) -> tuple[int, int]:
    """Return how many connections there may be, and how many more are kept for probes.

    Both follow from the limit on file descriptors: a process that runs out of them accepts nothing, probes neither.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted, wanted // 10 + 10
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    available = wanted * 2 if soft == resource.RLIM_INFINITY else soft - _OTHER_DESCRIPTORS
    reserve = max(1, min(wanted // 10 + 10, available // 10))
    return max(1, min(wanted, available - 2 * reserve)), reserve

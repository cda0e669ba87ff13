"""What the kernel says of a process and of all that it started: CPU seconds, resident memory, cores. Linux only."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_IDLE_TICKS = 1
_IDLE_SECONDS = 0.25
_PATIENCE_SECONDS = 60.0
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = _CORES[0], _CORES[-1]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep this thread, and the processes that it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Return user and system seconds of a process, its descendants, and those of them that ended."""
    return sum(sum(map(int, _stat(process)[11:15])) for process in family(pid)) / _TICKS


def wait_until_idle(pid: int) -> None:
    """Wait until a process has also done what it put off, such as writing what it answered; not for ever."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    seen = cpu_seconds(pid)
    while time.monotonic() < deadline:
        time.sleep(_IDLE_SECONDS)
        before, seen = seen, cpu_seconds(pid)
        if seen - before <= _IDLE_TICKS / _TICKS:
            return


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants; pages that they share count in each."""
    return sum(int(_stat(process)[21]) for process in family(pid)) * _PAGE


def count_threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def count_files(pid: int) -> int:
    """Return how many files and sockets a process holds open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def family(pid: int) -> list[int]:
    """Return a process and its descendants, oldest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
    found = [pid]
    for process in found:
        found += children.get(process, [])
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on, the state: the second may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()

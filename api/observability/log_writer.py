"""Lines to standard error through a bounded queue: who logs never waits for whoever reads the log."""

import atexit
import os
import sys
import time
from collections import deque
from threading import Event, RLock, Thread

import msgspec

_MAX_LINES = 10_000
_MAX_BYTES = 1024 * 1024
_GATHER_SECONDS = 0.01
"""Lines that come so close together are written at once: waking a thread for each costs more than the line."""
_RETRY_SECONDS = 0.05
_FLUSH_SECONDS = 1.0

_encode = msgspec.json.Encoder().encode


class LogWriter:
    """Writes lines in a daemon thread; what does not fit into its queue is dropped and counted."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._n_bytes = 0  # of queued lines, and of those that are being written
        self._unreported = 0
        self.n_dropped = 0
        """Lines dropped so far."""
        self._lock = RLock()  # a signal handler may log while its own thread is in here
        self._wake = Event()
        self._thread: Thread | None = None

    def write(self, line: bytes) -> None:
        """Queue a line with its end."""
        with self._lock:
            if len(self._lines) >= _MAX_LINES or self._n_bytes + len(line) > _MAX_BYTES:
                self._drop(1)
                return
            self._lines.append(line)
            self._n_bytes += len(line)
            if self._thread is None:
                self._start()
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, timeout: float = _FLUSH_SECONDS) -> bool:
        """Wait until all is written, for `timeout` seconds at most; return whether it is."""
        deadline = time.monotonic() + timeout
        while self._n_bytes and time.monotonic() < deadline:
            time.sleep(_GATHER_SECONDS / 2)
        return not self._n_bytes

    def _start(self) -> None:
        self._thread = Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()
        atexit.register(self.flush)

    def _run(self) -> None:
        while self._wake.wait():
            time.sleep(_GATHER_SECONDS)
            self._wake.clear()
            with self._lock:
                lines, self._lines = self._lines, deque()
                unreported, self._unreported = self._unreported, 0
            try:
                self._write_all(b"".join(lines) + _report(unreported))
            except Exception:  # noqa: BLE001 - as a rule OSError: nobody will read it any more; this must never end
                with self._lock:
                    self._drop(len(lines))
                    self._unreported += unreported
            with self._lock:
                self._n_bytes -= sum(map(len, lines))

    def _write_all(self, content: bytes) -> None:
        if self._descriptor is None:
            raise BrokenPipeError
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody who shares the pipe has made it non-blocking
                time.sleep(_RETRY_SECONDS)

    def _drop(self, n_lines: int) -> None:
        self._unreported += n_lines
        self.n_dropped += n_lines


def _report(n_dropped: int) -> bytes:
    """Return the line that tells of dropped ones, or nothing."""
    if not n_dropped:
        return b""
    line = {"level": "WARNING", "logger": "api", "message": "log lines dropped", "dropped": n_dropped}
    return _encode(line) + b"\n"


standard_error = LogWriter(sys.__stderr__.fileno() if sys.__stderr__ else None)
"""The one writer of this process."""

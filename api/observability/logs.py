"""JSON lines on standard error: what happens to the process, and to a sample of its requests."""

import logging
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from time import monotonic

import msgspec
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from api.observability.log_writer import LogWriter, standard_error

logger = logging.getLogger("api")

_encode = msgspec.json.Encoder().encode


_RESERVED = frozenset((*RESERVED_ATTRS, "color_message"))
"""What every record has; `color_message` is uvicorn's copy of its message with colours."""


def configure_logging(level: str) -> None:
    """Write a line a record to standard error: JSON, or plain text to a terminal."""
    formatter = JsonFormatter(
        "{levelname}{name}{message}",
        style="{",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp=True,
        reserved_attrs=list(_RESERVED),
    )
    handler = _WriterHandler(standard_error)
    handler.setFormatter(_TextFormatter() if sys.stderr and sys.stderr.isatty() else formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # How it starts and stops is ours to say.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # Its lines hold the raw path and query; AccessLog writes ours.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("python_multipart.multipart").disabled = True  # it quotes what it cannot read


class _TextFormatter(logging.Formatter):
    """The message, then the fields that JSON would have, for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        fields = "".join(f"  {key}={value}" for key, value in record.__dict__.items() if key not in _RESERVED)
        severity = "" if record.levelno < logging.WARNING else f"{record.levelname}: "
        return f"{severity}{record.getMessage()}{fields}"


class _WriterHandler(logging.Handler):
    """Hands formatted records to a writer."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record as a line."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of the standard library
            self.handleError(record)
            return
        self._writer.write(line.encode(errors="backslashreplace") + b"\n")


class AccessLog:
    """A line a request: of failures all, of the others at most `per_second`, and how many were left out before it.

    503 counts among the others: it is how the service refuses, by the thousand when it must. Answers of
    `quiet_routes`, which are templates, are logged only at debug unless they are failures or refusals.
    """

    def __init__(
        self, per_second: int, *, quiet_routes: Collection[str] = (), writer: LogWriter = standard_error
    ) -> None:
        self._per_second = per_second
        self._quiet_routes = frozenset(quiet_routes)
        self._writer = writer
        self._left = self._second = self._unlogged = 0

    def write(
        self, method: str, route: str, status: int, seconds: float, request_id: str | None, *, trace_id: str | None
    ) -> None:
        """Write a line, or count it as left out; `route` is the template, never the path."""
        failed = status >= 500 and status != 503
        quiet = route in self._quiet_routes and status < 400
        level = logging.ERROR if failed else logging.DEBUG if quiet else logging.INFO
        if not logger.isEnabledFor(level):
            return
        if not failed and not self._take():
            self._unlogged += 1
            return
        line: dict[str, str | float] = {
            "level": logging.getLevelName(level),
            "logger": logger.name,
            "message": "request",
            "timestamp": datetime.now(UTC).isoformat(),
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "unlogged": self._unlogged,
        }
        line |= {key: value for key, value in (("request_id", request_id), ("trace_id", trace_id)) if value}
        self._unlogged = 0
        # logging itself would take three times as long as this line
        self._writer.write(_encode(line) + b"\n")

    def _take(self) -> bool:
        """Take one of the lines of this second, if there is one left."""
        second = int(monotonic())
        if second != self._second:
            self._second, self._left = second, self._per_second
        self._left -= 1
        return self._left >= 0

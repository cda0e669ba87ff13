"""What the service raises on purpose, free of HTTP; `api.problems` maps it to answers."""

from collections.abc import Sequence
from enum import StrEnum


class Unavailable(StrEnum):
    """Why a request gets 503."""

    BODIES = "bodies"
    """Request bodies in memory take all the room that there is for them."""
    CONCURRENCY = "concurrency"
    """As many requests, or streams, are in progress as may be."""
    CONNECTIONS = "connections"
    DRAINING = "draining"
    RATE_LIMITS = "rate_limits"
    """They cannot be checked, and nothing may pass uncounted."""
    REQUEST_LOG = "request_log"
    """It cannot be written, and nothing may be answered unrecorded."""
    WORKERS = "workers"
    """Too many long lists and explanations wait for a thread."""
    OTHER = "other"


class FieldError(Exception):
    """One field of a request cannot be answered; found after the request was parsed."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class OverloadedError(Exception):
    """Too much work waits already."""


class RateLimitedError(Exception):
    """A quota does not admit this; its message is for the client.

    `wait_seconds` is the time until it does, or None if it never will; `headers` say what is left.
    """

    def __init__(self, message: str, wait_seconds: float | None, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.headers = headers


class RequestLogFullError(Exception):
    """The request log takes no more rows, and nothing may be answered unrecorded."""


class LimitsUnavailableError(Exception):
    """The storage of the counts does not answer, and nothing may pass uncounted."""

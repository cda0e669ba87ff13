"""How many names a request may still have answered; it travels with the request."""

import sys
from collections.abc import Sequence
from typing import ClassVar


class RateLimitedError(Exception):
    """A quota does not admit this; its message is for the client.

    `wait_seconds` is the time until it does, or None if it never will; `headers` say what is left.
    """

    def __init__(self, message: str, wait_seconds: float | None, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.headers = headers


class LimitsUnavailableError(Exception):
    """The storage of the counts does not answer, and nothing may pass uncounted."""


class NameQuota:
    """A quota of names without limits; `unlimited` is the only one that is needed."""

    unlimited: ClassVar["NameQuota"]

    immediate: bool = True
    """Whether `charge_now` may be used, else only what is awaited."""

    slice_size: int = sys.maxsize
    """Names that a stream charges at a time."""

    def charge_now(self, n: int) -> None:
        """Charge n names as `charge` does, without waiting for a storage; on the event loop only."""

    async def charge(self, n: int) -> None:
        """Charge n names, or none of them; announces what is left in the headers of the response.

        Raises:
            RateLimitedError: they do not fit.
            LimitsUnavailableError: they cannot be counted, and may not pass uncounted.
        """

    async def wait_for(self, n: int) -> None:
        """Charge n names as they fit, `slice_size` at a time, and sleep in between; for streams."""


NameQuota.unlimited = NameQuota()

"""How many names a request may still have answered; it travels with the request."""

import sys
from typing import ClassVar


class NameQuota:
    """A quota of names without limits; `unlimited` is the only one that is needed."""

    unlimited: ClassVar["NameQuota"]

    slice_size: int = sys.maxsize
    """Names that a stream charges at a time."""

    async def charge(self, n: int) -> None:
        """Charge n names, or none of them; announces what is left in the headers of the response.

        Raises:
            RateLimitedError: they do not fit.
            LimitsUnavailableError: they cannot be counted, and may not pass uncounted.
        """

    async def wait_for(self, n: int) -> None:
        """Charge n names as they fit, `slice_size` at a time, and sleep in between; for streams."""


NameQuota.unlimited = NameQuota()

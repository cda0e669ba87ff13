"""Rate limits as text: "50/second;1000/minute"."""

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_LIMIT = re.compile(rf"\s*(\d{{1,10}})\s*(?:/|\sper\s)\s*(\d{{1,5}})?\s*({'|'.join(_SECONDS)})s?\s*", re.IGNORECASE)


class Limit(NamedTuple):
    """At most `amount` in `seconds`; `name` says so in words, such as "50 per 1 second"."""

    name: str
    amount: int
    seconds: int


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Read limits, shortest window first and one for each length of window, the tightest; "" is no limit.

    Raises:
        ValueError: the text is no list of limits.
    """
    limits: dict[int, Limit] = {}
    for part in text.split(";") if text else ():
        limit = _parse_limit(part)
        limits[limit.seconds] = min(limit, limits.get(limit.seconds, limit), key=lambda each: each.amount)
    return tuple(limits[seconds] for seconds in sorted(limits))


def _parse_limit(text: str) -> Limit:
    match = _LIMIT.fullmatch(text)
    if not match or not 1 <= int(match[1]) <= 10**9 or not 1 <= int(match[2] or 1) <= 10**4:
        raise ValueError("give limits such as 50/second;1000/minute, each from 1 to a billion")
    amount, multiple, unit = int(match[1]), int(match[2] or 1), match[3].lower()
    return Limit(f"{amount} per {multiple} {unit}", amount, multiple * _SECONDS[unit])


def _validate(text: str) -> str:
    parse_limits(text)
    return text


RateLimitText = Annotated[str, AfterValidator(_validate)]
"""Text that `parse_limits` reads, as a pydantic field."""

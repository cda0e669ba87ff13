"""Limits on requests and names, as callers meet them; counted in memory."""

import asyncio
import hashlib
import json
import math
import re
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from api.middleware.memory_counters import MemoryCounters
from api.middleware.rate_counters import Charge
from api.rate_limit_syntax import Limit, parse_limits
from api.settings import Settings
from api.tests.stack import Stack

POLICY = re.compile(r'"([^"]+)";q=(\d+);w=(\d+)')
LEFT = re.compile(r'"([^"]+)";r=(\d+);t=(\d+)')
Get = Callable[..., Awaitable[httpx.Response]]


def _ask(scenario: Callable[[Stack], Awaitable[list[httpx.Response]]], **settings: str) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        return await asyncio.wait_for(scenario(Stack(Settings.model_validate(settings))), timeout=30)

    return asyncio.run(run())


def _statuses(responses: list[httpx.Response]) -> list[int]:
    return [response.status_code for response in responses]


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", []),
        ("50/second", [(50, 1)]),
        ("1000/minute;50/second", [(50, 1), (1000, 60)]),
        ("5 per 2 hours ; 9/day", [(5, 7200), (9, 86400)]),
        ("100/minute; 20/60 second", [(20, 60)]),
    ],
)
def test_limits_are_read_shortest_window_first(text: str, limits: list[tuple[int, int]]) -> None:
    assert [(limit.amount, limit.seconds) for limit in parse_limits(text)] == limits


@pytest.mark.parametrize("text", [";", "0/second", "5/fortnight", "5", "5/0 second", "99999999999/day"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give limits such as"):
        parse_limits(text)


def test_limits_are_announced_as_the_draft_says() -> None:
    async def twice(stack: Stack) -> list[httpx.Response]:
        return [await stack.get(names=7) for _ in range(2)]

    first, second = _ask(twice, rate_limit="1000/second; 5000/hour", name_rate_limit="100/hour")
    policies = POLICY.findall(first.headers["ratelimit-policy"])
    assert [(int(amount), int(seconds)) for _, amount, seconds in policies] == [(1000, 1), (5000, 3600), (100, 3600)]
    left = [LEFT.findall(response.headers["ratelimit"]) for response in (first, second)]
    assert [name for name, _, _ in left[0]] == [name for name, _, _ in policies]
    assert len({name for name, _, _ in policies}) == 3
    assert [[int(remaining) for _, remaining, _ in each[1:]] for each in left] == [[4999, 93], [4998, 86]]
    assert all(
        0 <= int(resets) <= int(seconds) for (_, _, resets), (_, _, seconds) in zip(left[0], policies, strict=True)
    )


def test_retry_after_is_true() -> None:
    async def scenario(stack: Stack) -> list[httpx.Response]:
        responses = [await stack.get() for _ in range(3)]
        await asyncio.sleep(int(responses[-1].headers["retry-after"]))
        return [*responses, *[await stack.get() for _ in range(2)]]

    responses = _ask(scenario, rate_limit="2/second;3/minute")
    assert _statuses(responses) == [200, 200, 429, 200, 429]
    assert responses[2].headers["content-type"] == "application/problem+json"
    waits = [int(responses[place].headers["retry-after"]) for place in (2, 4)]
    assert waits[0] == 1
    assert 30 < waits[1] <= 60
    assert f"try again in {waits[1]} seconds" in responses[4].json()["detail"]


def test_keys_have_limits_of_their_own_and_probes_have_none() -> None:
    keys = [
        {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), **limits}
        for name, limits in {"plain": {}, "small": {"limit": "1/hour"}, "wordy": {"name_limit": "50/hour"}}.items()
    ]

    async def scenario(stack: Stack) -> list[httpx.Response]:
        sent = [("small", 1), ("small", 1), ("plain", 1), ("plain", 20), ("wordy", 20), ("wordy", 20)]
        responses = [await stack.get(headers=[(b"x-api-key", key.encode())], names=names) for key, names in sent]
        return [*responses, *[await stack.get("/livez", peer="192.0.2.7") for _ in range(5)]]

    responses = _ask(scenario, rate_limit="5/hour", name_rate_limit="10/hour", api_keys=json.dumps(keys))
    assert _statuses(responses) == [200, 429, 200, 429, 200, 200] + [200] * 5
    assert "ratelimit" not in responses[-1].headers


def test_a_list_of_names_is_admitted_whole_or_not_at_all_and_a_refused_one_costs_nothing() -> None:
    async def scenario(stack: Stack) -> list[httpx.Response]:
        return [await stack.get(names=names) for names in (60, 60, 40, 1)]

    responses = _ask(scenario, name_rate_limit="100/minute;150/hour")
    assert _statuses(responses) == [200, 429, 200, 429]
    assert 30 < int(responses[1].headers["retry-after"]) <= 60
    assert "Too many names; try again in" in responses[1].json()["detail"]


def test_a_list_larger_than_the_quota_gets_no_retry_after() -> None:
    async def scenario(stack: Stack) -> list[httpx.Response]:
        return [await stack.get(names=names) for names in (101, 100)]

    responses = _ask(scenario, name_rate_limit="100/minute;1500/hour")
    assert _statuses(responses) == [429, 200]
    assert "at most 100 names at once" in responses[0].json()["detail"]
    assert "retry-after" not in responses[0].headers


def test_a_stream_slows_down_instead_of_failing() -> None:
    async def scenario(stack: Stack) -> list[httpx.Response]:
        return await asyncio.gather(*(stack.get(names=25, stream=1) for _ in range(2)))

    started = time.monotonic()
    assert _statuses(_ask(scenario, name_rate_limit="20/second;1000/hour")) == [200, 200]
    assert time.monotonic() - started > 2


def test_a_stream_that_waits_holds_nobody_up() -> None:
    async def scenario(stack: Stack) -> list[httpx.Response]:
        stream = asyncio.create_task(stack.get(names=25, stream=1))
        await asyncio.sleep(0.01)
        probe = await stack.get("/livez")
        assert not stream.done()
        return [probe, await stream]

    assert _statuses(_ask(scenario, name_rate_limit="20/second")) == [200, 200]


def test_a_stream_draws_on_a_quota_of_a_few_names() -> None:
    async def scenario(stack: Stack) -> list[httpx.Response]:
        return [await stack.get(names=3, stream=1), await stack.get(names=3)]

    assert _statuses(_ask(scenario, name_rate_limit="5/hour")) == [200, 429]


def test_a_stream_takes_what_other_requests_leave_of_a_window() -> None:
    """Waiting for a whole quota, it would get nothing beside a trickle of them."""

    async def scenario(stack: Stack) -> list[httpx.Response]:
        return [await stack.get(names=10), await stack.get(names=60, stream=1), await stack.get(names=1)]

    responses = _ask(scenario, name_rate_limit="50/2second")
    assert LEFT.findall(responses[-1].headers["ratelimit"])[0][1] == "29"  # 40 in the first window, 20 in the second


def test_concurrent_requests_never_pass_a_limit_together() -> None:
    async def scenario(stack: Stack) -> list[httpx.Response]:
        return await asyncio.gather(*(stack.get(names=3) for _ in range(100)))

    assert _statuses(_ask(scenario, rate_limit="40/hour", name_rate_limit="100/hour")).count(200) == 33


def test_a_new_window_is_never_longer_than_its_limit() -> None:
    counters, limits = MemoryCounters(), parse_limits("9/3 second;9/minute;9/hour;9/day")
    outcomes = [counters.charge(Charge(f"caller-{number}", limits, 1)) for number in range(1000)]
    assert all(usage.resets_in <= usage.limit.seconds for outcome in outcomes for usage in outcome.usages)


def test_every_charge_of_a_burst_is_counted() -> None:
    """A window that ends lets the next quota in, and only that."""
    counters, limits = MemoryCounters(), parse_limits("7/second")
    started = time.monotonic()
    admitted = 0
    while time.monotonic() < started + 1.2:
        admitted += counters.charge(Charge("caller", limits, 1)).admitted
    assert 7 < admitted <= 7 * math.ceil(time.monotonic() - started)


def test_memory_is_bounded_and_the_last_callers_are_still_known() -> None:
    counters, limits = MemoryCounters(), [Limit("1 per 1 day", 1, 86400)]
    callers = [f"caller-{number}" for number in range(120_000)]
    for caller in callers:
        counters.charge(Charge(caller, limits, 1))
    admitted = [counters.charge(Charge(caller, limits, 1)).admitted for caller in reversed(callers)]
    assert not any(admitted[:50_000])
    assert all(admitted[50_000:])

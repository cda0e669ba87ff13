"""Limits that processes share through a real Redis, and what happens when it goes away."""

import asyncio
import hashlib
import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from api.middleware.rate_counters import Charge, Outcome, StorageDownError
from api.middleware.redis_counters import RedisCounters
from api.rate_limit_syntax import parse_limits
from api.settings import Settings
from api.tests.conftest import Server, free_port, start, stop
from api.tests.stack import Stack

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not on PATH")

KEY = "key-of-billing"


class Redis:
    """A Redis of its own, which can be stopped and started again."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while subprocess.run(["redis-cli", "-p", str(self._port), "ping"], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def ask(self, *command: str) -> str:
        run = subprocess.run(["redis-cli", "-p", str(self._port), *command], capture_output=True, text=True, check=True)
        return run.stdout

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)


@pytest.fixture
def redis() -> Iterator[Redis]:
    running = Redis()
    yield running
    running.kill()


@asynccontextmanager
async def _counters(redis: Redis) -> AsyncIterator[RedisCounters]:
    counters = RedisCounters(redis.url)
    yield counters
    await counters.close()


def _run(redis: Redis, scenario: Callable[[RedisCounters], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        async with _counters(redis) as counters:
            await scenario(counters)

    asyncio.run(run())


def _charge(text: str, cost: int = 1) -> Charge:
    return Charge("requests/billing", parse_limits(text), cost)


def test_a_charge_fits_into_every_window_or_costs_nothing(redis: Redis) -> None:
    async def scenario(counters: RedisCounters) -> None:
        outcomes = [await counters.charge(_charge("10/minute;15/hour", cost)) for cost in (8, 3, 2, 6, 11)]
        assert [outcome.admitted for outcome in outcomes] == [True, False, True, False, False]
        assert [[usage.used for usage in outcome.usages] for outcome in outcomes] == [[8, 8], [8, 8]] + [[10, 10]] * 3
        minute, hour = outcomes[-1].usages
        assert 50 < minute.resets_in <= 60
        assert 3590 < hour.resets_in <= 3600

    _run(redis, scenario)


def test_windows_end_by_the_clock_of_redis(redis: Redis) -> None:
    async def scenario(counters: RedisCounters) -> None:
        first, refused = [await counters.charge(_charge("1/second")) for _ in range(2)]
        assert (first.admitted, refused.admitted) == (True, False)
        await asyncio.sleep(refused.usages[0].resets_in + 0.01)
        assert (await counters.charge(_charge("1/second"))).admitted

    _run(redis, scenario)


def test_concurrent_charges_are_counted_exactly_over_one_connection(redis: Redis) -> None:
    async def scenario(counters: RedisCounters) -> None:
        async def charge_after(turns: int) -> Outcome:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await counters.charge(_charge("10/minute"))

        outcomes = await asyncio.gather(*(charge_after(number % 100) for number in range(2000)))
        assert sum(outcome.admitted for outcome in outcomes) == 10

    before = _connections(redis)
    _run(redis, scenario)
    assert _connections(redis) - before <= 1 + 1  # and the one that asks


def _connections(redis: Redis) -> int:
    lines = redis.ask("info", "stats").splitlines()
    return int(next(line for line in lines if line.startswith("total_connections_received:")).partition(":")[2])


def test_a_restarted_redis_is_used_again_at_once(redis: Redis) -> None:
    """It has lost the script, and the connection is dead."""

    async def scenario(counters: RedisCounters) -> None:
        await counters.charge(_charge("10/minute"))
        await asyncio.to_thread(redis.kill)
        await asyncio.to_thread(redis.start)
        assert (await counters.charge(_charge("10/minute"))).usages[0].used == 1

    _run(redis, scenario)


def test_a_silent_redis_is_left_alone_and_no_answer_reaches_another_charge(redis: Redis) -> None:
    async def scenario(counters: RedisCounters) -> None:
        await counters.charge(_charge("10/minute"))
        redis.send(signal.SIGSTOP)
        started = time.monotonic()
        for _ in range(20):
            with pytest.raises(StorageDownError):
                await counters.charge(_charge("10/minute"))
        assert time.monotonic() - started < 20 * 0.25  # not each of them waits
        redis.send(signal.SIGCONT)
        outcome = await _until_it_answers(counters, Charge("names/other", parse_limits("1000/hour"), 700))
        assert [(usage.limit.amount, usage.used) for usage in outcome.usages] == [(1000, 700)]

    _run(redis, scenario)


def test_a_busy_event_loop_is_no_silent_redis(redis: Redis) -> None:
    async def scenario(counters: RedisCounters) -> None:
        async def block() -> None:
            while True:
                time.sleep(0.1)  # noqa: ASYNC251 - what a crowd of requests does to the loop
                await asyncio.sleep(0)

        blocking = asyncio.create_task(block())
        outcomes = await asyncio.gather(*(counters.charge(_charge("10/minute")) for _ in range(30)))
        blocking.cancel()
        assert sum(outcome.admitted for outcome in outcomes) == 10

    _run(redis, scenario)


async def _until_it_answers(counters: RedisCounters, charge: Charge) -> Outcome:
    for _ in range(200):
        try:
            return await counters.charge(charge)
        except StorageDownError:
            await asyncio.sleep(0.05)
    raise AssertionError


@pytest.mark.parametrize(("failure", "status"), [("open", 200), ("closed", 503)])
def test_what_happens_without_redis_is_a_setting(
    redis: Redis, failure: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.model_validate(
        {
            "rate_limit": "10/minute",
            "name_rate_limit": "100/minute",
            "rate_limit_storage": redis.url,
            "rate_limit_failure": failure,
        }
    )

    async def scenario() -> list[httpx.Response]:
        stack = Stack(settings)
        responses = [await stack.get(names=1)]
        await asyncio.to_thread(redis.kill)
        responses += [await stack.get(names=1) for _ in range(10)]
        errors = stack.metrics.registry.get_sample_value("rate_limit_errors_total")
        assert errors == (20 if failure == "open" else 10)  # request and names, or the request alone
        await stack.limiter.close()
        return responses

    first, *rest = asyncio.run(scenario())
    assert first.status_code == 200
    assert [response.status_code for response in rest] == [status] * 10
    assert {response.headers.get("retry-after") for response in rest} == {None if status == 200 else "1"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"limits cannot be checked, requests are {'let in uncounted' if failure == 'open' else 'refused'}"
    ]


@pytest.fixture
def servers(bundle: Path, tmp_path: Path, redis: Redis) -> Iterator[list[Server]]:
    settings = {
        "API_KEYS": json.dumps([{"name": "billing", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}]),
        "RATE_LIMIT_STORAGE": redis.url,
        "RATE_LIMIT": "10/minute",
    }
    running = [start(bundle, tmp_path / f"log{number}", **settings) for number in range(2)]
    yield running
    for server in running:
        assert stop(server) == 0


def test_a_quota_holds_at_400_connections_to_two_servers(servers: list[Server], redis: Redis) -> None:
    ports = [server.client.base_url.port for server in servers]
    before = _connections(redis)

    async def crowd() -> Counter[bytes]:
        statuses = await asyncio.gather(*(_ask_three_times(ports[number % 2] or 0) for number in range(400)))
        return Counter(status for each in statuses for status in each)

    assert asyncio.run(crowd()) == {b"200": 10, b"429": 1190}
    assert _connections(redis) - before <= 2 + 1  # one a server, and the one that asks


async def _ask_three_times(port: int) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /get_prediction HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
    statuses = []
    for _ in range(3):
        writer.write(f'{head}Content-Length: 17\r\n\r\n{{"name":"Jordan"}}'.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        statuses.append(answer.split(b" ", 2)[1])
    writer.close()
    return statuses

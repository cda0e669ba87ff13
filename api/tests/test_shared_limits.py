"""Limits that two servers share through a real Redis, and what happens when it goes away."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from api.tests.conftest import Server, free_port, start, stop

pytestmark = [
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not on PATH"),
    pytest.mark.skipif(find_spec("redis") is None, reason="the Python package redis is missing"),
]


def _start_redis(port: int) -> subprocess.Popen[bytes]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.fixture
def redis_port() -> Iterator[int]:
    port = free_port()
    process = _start_redis(port)
    yield port
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait(timeout=10)


@pytest.fixture
def servers(bundle: Path, tmp_path: Path, redis_port: int) -> Iterator[list[Server]]:
    settings = {"RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{redis_port}", "RATE_LIMIT": "4/2second; 1000/hour"}
    running = [start(bundle, tmp_path / f"log{number}", **settings) for number in range(2)]
    yield running
    for server in running:
        assert stop(server) == 0


def _ask(server: Server) -> httpx.Response:
    return server.client.post("/get_prediction", json={"name": "Jordan"})


def test_two_servers_share_a_quota_and_retry_after_is_true(servers: list[Server]) -> None:
    answers = [_ask(servers[number % 2]) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    time.sleep(int(answers[-1].headers["retry-after"]))
    assert _ask(servers[0]).status_code == 200


def _errors(server: Server) -> float:
    lines = server.client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("rate_limit_errors_total ")).split()[1])


def test_requests_are_let_in_while_redis_is_gone_or_silent(servers: list[Server], redis_port: int) -> None:
    server = servers[0]
    assert "ratelimit" in _ask(server).headers
    _redis(redis_port, "shutdown", "nosave")
    assert [_ask(server).status_code for _ in range(30)] == [200] * 30
    assert _errors(server) == 30
    assert server.log.read_text().count("limits are not checked") == 1
    back = _start_redis(redis_port)
    try:
        _until_counted(server)
        back.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        assert [_ask(server).status_code for _ in range(30)] == [200] * 30
        assert time.monotonic() - started < 30 * 0.25  # not every request waits for it
        back.send_signal(signal.SIGCONT)
        _until_counted(server)
    finally:
        back.kill()
        back.wait(timeout=10)


def _redis(port: int, *command: str) -> None:
    subprocess.run(["redis-cli", "-p", str(port), *command], capture_output=True, check=True)


def _until_counted(server: Server) -> None:
    deadline = time.monotonic() + 10
    while "ratelimit" not in _ask(server).headers:
        assert time.monotonic() < deadline
        time.sleep(0.1)

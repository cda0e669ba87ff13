"""Load shedding: just as many requests, streams and bytes of bodies are held as the settings say."""

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from api.settings import Settings

KEYS = ("first", "second")
BODIES = {
    "/get_prediction": ("application/json", b'{"name": "Jordan"}'),
    "/v1/predict": ("application/json", b'{"names": ["Jordan"]}'.ljust(1000)),
    "/v1/predict/stream": ("application/x-ndjson", b'"Jordan"\n'),
}


@pytest.fixture(scope="module")
def app(bundle: Path) -> FastAPI:
    """An app for three requests, 2,000 bytes of bodies, and three streams, two of one caller."""
    keys = [{"name": key, "sha256": hashlib.sha256(key.encode()).hexdigest()} for key in KEYS]
    bounds = {"max_concurrency": 3, "max_buffered_bytes": 2000, "max_streams": 3, "max_streams_per_caller": 2}
    return create_app(Settings.model_validate({"bundle_dir": bundle, "api_keys": json.dumps(keys), **bounds}))


class Held:
    """A request whose last byte comes when `release` is called."""

    def __init__(self, client: httpx.AsyncClient, path: str, key: str) -> None:
        self._started, self._released = asyncio.Event(), asyncio.Event()
        media_type, self._body = BODIES[path]
        headers = {"content-type": media_type, "x-api-key": key}
        self._answer = asyncio.create_task(client.post(path, content=self._send(), headers=headers))

    async def _send(self) -> AsyncIterator[bytes]:
        yield self._body[:-1]
        self._started.set()
        await self._released.wait()
        yield self._body[-1:]

    async def in_work(self) -> bool:
        """Wait until it is taken on or answered; tell whether it is still in work."""
        started = asyncio.create_task(self._started.wait())
        await asyncio.wait((started, self._answer), return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        return not self._answer.done()

    async def release(self) -> int:
        """Return the status of the answer."""
        self._released.set()
        return (await self._answer).status_code


def _run(app: FastAPI, scenario: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await scenario(client)

    asyncio.run(run())


def _unavailable(metrics: str) -> Counter[str]:
    """Return how many requests got 503, by reason."""
    found = re.findall(r'^http_requests_unavailable_total\{reason="(\w+)"\} (\d+)', metrics, re.MULTILINE)
    return Counter({reason: int(number) for reason, number in found})


@pytest.mark.parametrize(
    ("path", "callers", "refused", "reason"),
    [
        ("/get_prediction", ["first", "second", "first", "second"], 503, "concurrency"),
        ("/v1/predict", ["first", "second", "first"], 503, "bodies"),
        ("/v1/predict/stream", ["first", "first", "first"], 429, None),
        ("/v1/predict/stream", ["first", "second", "first", "second"], 503, "concurrency"),
    ],
    ids=["requests", "bytes", "streams of one caller", "streams"],
)
def test_what_exceeds_a_bound_is_refused_until_there_is_room(
    app: FastAPI, path: str, callers: list[str], refused: int, reason: str | None
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        before = _unavailable((await client.get("/metrics")).text)
        held = [Held(client, path, key) for key in callers]
        assert [await request.in_work() for request in held] == [True] * (len(callers) - 1) + [False]
        assert await held[-1].release() == refused
        metrics = (await client.get("/metrics")).text
        assert _unavailable(metrics) - before == Counter([reason] if reason else [])
        n_streams = len(callers) - 1 if path.endswith("stream") else 0
        assert f"http_streams_in_progress {n_streams}.0" in metrics
        assert (await client.get("/livez")).status_code == 200
        for request in held[:-1]:
            assert await request.release() == 200
            again = Held(client, path, callers[-1])
            assert await again.in_work()
            assert await again.release() == 200

    _run(app, scenario)

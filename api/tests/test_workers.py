"""Threads for many names, and what holds them up."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import pytest

from api.classify.served_model import ModelHost
from api.classify.workers import Pause, Workers
from api.observability.metrics import Metrics


class _SlowSwap(Metrics):
    """Lets a swap go on once the test says so: until then two models are in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.two_models, self.go_on = Event(), Event()
        self.go_on.set()

    def describe_model(self, version: str, architecture: str, labels: Iterable[str]) -> None:
        self.two_models.set()
        assert self.go_on.wait(30)
        super().describe_model(version, architecture, labels)


@pytest.mark.parametrize("of_stream", [False, True])
def test_many_names_wait_while_two_models_are_in_memory(bundle: Path, *, of_stream: bool) -> None:
    metrics = _SlowSwap()
    host = ModelHost(bundle, threads=1, metrics=metrics)
    workers = Workers(host.pause)

    async def scenario() -> None:
        run = workers.run_for_stream if of_stream else workers.run
        assert await run(str, 1) == "1"
        metrics.two_models.clear()
        metrics.go_on.clear()
        swap = asyncio.create_task(asyncio.to_thread(host.reload))
        assert await asyncio.to_thread(metrics.two_models.wait, 30)
        work = asyncio.create_task(run(str, 2))
        done, _ = await asyncio.wait({work}, timeout=0.2)
        assert not done
        metrics.go_on.set()
        await swap
        assert await asyncio.wait_for(work, 30) == "2"

    asyncio.run(scenario())


def test_a_load_that_never_ends_holds_nothing_up_for_good() -> None:
    pause = Pause(longest_seconds=0.1)
    with pause.held():
        assert asyncio.run(asyncio.wait_for(Workers(pause).run(str, 1), 30)) == "1"
        assert asyncio.run(asyncio.wait_for(Workers(pause).run_for_stream(str, 2), 30)) == "2"

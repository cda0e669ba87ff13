"""Requests that arrive together share calls of the network, and each gets its own answer."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from api.classify.batching import Batcher
from api.classify.served_model import ServedModel
from api.observability.metrics import Metrics
from model.errors import InvalidTopKError
from model.prediction import Predictor
from model.priors import Prior

NAMES = ["berson", "dirini", "jordan", "kowalska", "morgan", "bergski", "магда", "qxzvw"]


@pytest.fixture(scope="module")
def served(bundle: Path) -> ServedModel:
    return ServedModel.load(bundle, threads=1)


@pytest.fixture(scope="module")
def predictor(served: ServedModel) -> Predictor:
    return served.predictor


def _run(scenario: Callable[[Batcher], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(scenario(Batcher(Metrics())), timeout=30)

    asyncio.run(run())


def test_each_request_gets_its_own_answer(served: ServedModel, predictor: Predictor) -> None:
    """Whatever the others of the same turn ask for."""

    async def scenario(batcher: Batcher) -> None:
        priors: list[Prior] = ["natural", "uniform"]
        requests = [(NAMES[i % 5 : i % 5 + 1 + i % 3], i % 4 + 1, prior) for i in range(12) for prior in priors]
        answers = await asyncio.gather(*(batcher.predict(served, *request) for request in requests))
        for (texts, top_k, prior), predictions in zip(requests, answers, strict=True):
            for expected, prediction in zip(predictor.predict_read(texts, top_k, prior), predictions, strict=True):
                assert (prediction.labels, prediction.abstained) == (expected.labels, expected.abstained)
                assert prediction.log_probs == pytest.approx(expected.log_probs, abs=1e-5)

    _run(scenario)


def test_a_request_that_cannot_be_answered_fails_alone(served: ServedModel) -> None:
    async def scenario(batcher: Batcher) -> None:
        results = await asyncio.gather(
            *(batcher.predict(served, NAMES[:2], top_k, "natural") for top_k in (1, 99, 1)), return_exceptions=True
        )
        assert [type(result) for result in results] == [list, InvalidTopKError, list]

    _run(scenario)


def test_a_cancelled_request_costs_the_others_nothing(served: ServedModel) -> None:
    async def scenario(batcher: Batcher) -> None:
        futures = [batcher.predict(served, [name], 1, "natural") for name in NAMES]
        futures[0].cancel()
        assert len(await asyncio.gather(*futures[1:])) == len(NAMES) - 1

    _run(scenario)


def test_other_work_gets_its_turn_between_batches(served: ServedModel) -> None:
    """And the last request of a crowd is answered too."""

    async def scenario(batcher: Batcher) -> None:
        futures = [batcher.predict(served, NAMES, 1, "natural") for _ in range(100)]
        n_done = 0
        while n_done < len(futures):
            before = n_done
            await asyncio.sleep(0)
            n_done = sum(future.done() for future in futures)
            assert n_done - before <= len(futures) // 2

    _run(scenario)

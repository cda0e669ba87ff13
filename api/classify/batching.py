"""Batching: requests that one turn of the event loop brings share a call of the network."""

import asyncio
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from api.classify.served_model import ServedModel
from api.observability.metrics import Metrics
from model.prediction import Prediction
from model.priors import Prior

_MAX_NAMES = 256
"""Names answered in one turn of the event loop: about 10 ms, after which probes get theirs."""


class _Waiting(NamedTuple):
    served: ServedModel
    texts: Sequence[str]
    top_k: int | None
    prior: Prior
    future: "asyncio.Future[Sequence[Prediction]]"

    @property
    def group(self) -> Hashable:
        """What requests of one call have in common."""
        return id(self.served), self.top_k, self.prior if isinstance(self.prior, str) else id(self.prior)


class Batcher:
    """Batches without waiting: a lone request is answered in the next turn of the event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._waiting: list[_Waiting] = []

    def predict(
        self, served: ServedModel, texts: Sequence[str], top_k: int | None, prior: Prior
    ) -> "asyncio.Future[Sequence[Prediction]]":
        """Return what will hold one prediction for each text, as `Predictor.read` gives them.

        The future raises PredictionError if an option cannot be answered.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Prediction]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._end_turn, 0)
        self._waiting.append(_Waiting(served, texts, top_k, prior, future))
        return future

    def _end_turn(self, n_before: int) -> None:
        """Answer unless the last turn of the event loop brought more requests: then the next may bring still more."""
        if max(1, n_before) < len(self._waiting) < _MAX_NAMES:
            asyncio.get_running_loop().call_soon(self._end_turn, len(self._waiting))
        else:
            self._answer_batch()

    def _answer_batch(self) -> None:
        """Answer what waits, at most `_MAX_NAMES` names of it; the rest follows in the next turn."""
        n_names = n_requests = 0
        while n_requests < len(self._waiting) and n_names < _MAX_NAMES:
            n_names += len(self._waiting[n_requests].texts)
            n_requests += 1
        batch, self._waiting = self._waiting[:n_requests], self._waiting[n_requests:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer_batch)
        groups: dict[Hashable, list[_Waiting]] = {}
        for request in batch:
            if not request.future.cancelled():  # else its client has left
                groups.setdefault(request.group, []).append(request)
        for group in groups.values():
            self._answer_group(group)

    def _answer_group(self, group: Sequence[_Waiting]) -> None:
        served, _, top_k, prior, _ = group[0]
        texts = [text for request in group for text in request.texts]
        try:
            predictions = served.predictor.predict_read(texts, top_k, prior)
        except Exception as error:  # noqa: BLE001 - each request of the group reports it
            for request in group:
                request.future.set_exception(error)
            return
        self._metrics.count_predictions(predictions)
        start = 0
        for request in group:
            end = start + len(request.texts)
            request.future.set_result(predictions[start:end])
            start = end

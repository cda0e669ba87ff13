"""Batching: requests that one turn of the event loop brings share a call of the network."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from api.classify.answers import Options
from api.classify.served_model import ModelHost, ServedModel
from api.observability.metrics import Metrics
from model.errors import PredictionError
from model.prediction import Prediction

logger = logging.getLogger("api")

_MAX_NAMES = 256
"""Names answered in one turn of the event loop: about 10 ms, after which probes get theirs."""


class Answer(NamedTuple):
    """Predictions of the names of one request, and the model that made them."""

    served: ServedModel
    predictions: Sequence[Prediction]


class _Waiting(NamedTuple):
    names: Sequence[str]
    options: Options
    future: "asyncio.Future[Answer]"


class Batcher:
    """Batches without waiting: a lone request is answered in the next turn of the event loop."""

    def __init__(self, host: ModelHost, metrics: Metrics) -> None:
        self._host = host
        self._metrics = metrics
        self._waiting: list[_Waiting] = []

    def classify(self, names: Sequence[str], options: Options) -> "asyncio.Future[Answer]":
        """Return what will hold one prediction a name, in their order.

        The future raises PredictionError if a name or an option cannot be answered.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer_batch)
        self._waiting.append(_Waiting(names, options, future))
        return future

    def _answer_batch(self) -> None:
        """Answer what waits, at most `_MAX_NAMES` names of it; the rest follows in the next turn."""
        n_names = n_requests = 0
        while n_requests < len(self._waiting) and n_names < _MAX_NAMES:
            n_names += len(self._waiting[n_requests].names)
            n_requests += 1
        batch, self._waiting = self._waiting[:n_requests], self._waiting[n_requests:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer_batch)
        served = self._host.current
        groups: dict[object, list[tuple[_Waiting, list[str]]]] = {}
        for request in batch:
            if request.future.cancelled():  # its client has left
                continue
            try:
                texts = [served.predictor.read(name) for name in request.names]
            except PredictionError as error:
                request.future.set_exception(error)
            else:
                groups.setdefault((request.options.top_k, request.options.prior), []).append((request, texts))
        for group in groups.values():
            self._answer_group(served, group)

    def _answer_group(self, served: ServedModel, group: Sequence[tuple[_Waiting, list[str]]]) -> None:
        """Answer requests with the same options."""
        options = group[0][0].options
        texts = [text for _, request_texts in group for text in request_texts]
        try:
            predictions = served.predictor.predict_read(texts, options.top_k, options.prior)
        except Exception as error:  # noqa: BLE001 - each request of the group reports it
            for request, _ in group:
                request.future.set_exception(error)
            return
        self._metrics.count_predictions(predictions)
        start = 0
        for request, request_texts in group:
            end = start + len(request_texts)
            request.future.set_result(Answer(served, predictions[start:end]))
            start = end

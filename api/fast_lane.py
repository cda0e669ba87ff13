"""Answers to the hot routes without an ASGI app between: what is plainly right, byte for byte as the ordinary route.

Whatever is not (another type, an unknown field, a name that cannot be one) is left to the ordinary route, so there is
one place that says what is wrong with it.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import msgspec

from api import answers
from api.answers import ON_THE_LOOP, Options
from api.metrics import Metrics
from api.problems import FieldError
from api.protocol import Header, HotRequest
from api.reload import ModelHost, ServedModel
from api.telemetry import request_id_of
from model.errors import PredictionError

_decode = msgspec.json.Decoder().decode
_Body = tuple[ServedModel, str, dict[str, Any]]


class FastLane:
    """Callable as `protocol.FastLane`."""

    def __init__(self, host: ModelHost, metrics: Metrics) -> None:
        self._host = host
        self._metrics = metrics
        self._answers: dict[bytes, Callable[[ServedModel, str, dict[str, Any]], bytes | None]] = {
            b"/get_prediction": self._compat,
            b"/v1/predict": self._predict,
        }

    @property
    def paths(self) -> frozenset[bytes]:
        """What it may be asked for, by POST."""
        return frozenset(self._answers)

    def __call__(self, request: HotRequest) -> tuple[Sequence[Header], bytes] | None:
        """Return headers and body of a 200, or None."""
        started = perf_counter()
        headers = dict(request.headers)
        if len(headers) != len(request.headers) or headers.get(b"content-type") != b"application/json":
            return None
        try:
            document = _decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if type(document) is not dict:
            return None
        request_id = request_id_of(headers)
        try:
            body = self._answers[request.path](self._host.current, request_id, document)
        except (PredictionError, FieldError):
            return None
        if body is None:
            return None
        self._metrics.observe_request("POST", request.path.decode(), 200, perf_counter() - started)
        return [(b"content-type", b"application/json"), (b"x-request-id", request_id.encode())], body

    def _compat(self, served: ServedModel, _: str, document: dict[str, Any]) -> bytes | None:
        name, top_k = document.pop("name", None), document.pop("n_predictions", None)
        if document or type(name) is not str or not _is_count(top_k):
            return None
        return answers.predict_compat(served, self._metrics, name, top_k)

    def _predict(self, served: ServedModel, request_id: str, document: dict[str, Any]) -> bytes | None:
        names, top_k = document.pop("names", None), document.pop("top_k", None)
        prior, abstain = document.pop("prior", "natural"), document.pop("abstain", False)
        if document or type(names) is not list or not 1 <= len(names) <= ON_THE_LOOP or not _is_count(top_k):
            return None
        if not all(type(name) is str for name in names) or type(abstain) is not bool:
            return None
        if prior not in ("natural", "uniform"):
            return None
        return answers.predict(served, self._metrics, request_id, names, Options(top_k, prior, abstain))


def _is_count(value: object) -> bool:
    return value is None or type(value) is int

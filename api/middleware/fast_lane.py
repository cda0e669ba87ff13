"""Answers to the hot routes without an ASGI app between: what is plainly right, byte for byte as the ordinary route.

Whatever is not (another type, an unknown field, a name that cannot be one) is left to the ordinary route, so there is
one place that says what is wrong with it. Requests that arrive together are answered together: one call of the
network costs less than many, and nobody waits for a batch to fill.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import msgspec
from starlette.types import Scope

from api.classify import answers
from api.classify.answers import ON_THE_LOOP, Options
from api.classify.served_model import ModelHost, ServedModel
from api.middleware.admission import Admission
from api.middleware.security_headers import SECURITY_HEADERS, Header, header_lines
from api.middleware.telemetry import Recorder, request_id_of
from api.server.guard import HotRequest
from model.errors import PredictionError
from model.prediction import Prediction, Prior

_COMPAT, _PREDICT = "/get_prediction", "/v1/predict"
_HEAD = header_lines([(b"content-type", b"application/json"), *SECURITY_HEADERS])
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class _Question:
    """A request that is plainly right."""

    request: HotRequest
    request_id: str
    told: Sequence[Header]
    texts: list[str]
    options: Options


class FastLane:
    """Callable as `protocol.FastLane`."""

    paths: Mapping[bytes, str] = {b"/get_prediction": _COMPAT, b"/v1/predict": _PREDICT}
    """What it may be asked for, by POST: as sent, and as routed."""

    def __init__(self, host: ModelHost, admission: Admission, recorder: Recorder) -> None:
        self._host = host
        self._admission = admission
        self._recorder = recorder

    def __call__(self, requests: Sequence[HotRequest]) -> list[tuple[bytes, bytes] | None]:
        """Return header lines and body of a 200 for each request, or None; the names of all go through one call."""
        served = self._host.current
        answered: list[tuple[bytes, bytes] | None] = [None] * len(requests)
        groups: dict[tuple[int | None, Prior], list[tuple[int, _Question]]] = {}
        for place, request in enumerate(requests):
            if question := self._read(request, served):
                options = question.options
                groups.setdefault((options.top_k, options.prior), []).append((place, question))
        for group in groups.values():
            for (place, _), answer in zip(group, self._answer_all(served, [q for _, q in group]), strict=True):
                answered[place] = answer
        return answered

    def _answer_all(self, served: ServedModel, questions: Sequence[_Question]) -> Sequence[tuple[bytes, bytes] | None]:
        """Answer questions with the same options."""
        options, texts = questions[0].options, [text for question in questions for text in question.texts]
        try:
            predictions = iter(served.predictor.predict_read(texts, options.top_k, options.prior))
        except PredictionError:  # of top_k, which all of them share
            return [None] * len(questions)
        answered, counted = [], []
        for question in questions:
            own = [next(predictions) for _ in question.texts]
            answered.append(self._answer(served, question, own))
            counted += own if answered[-1] else []
        self._recorder.metrics.count_predictions(counted)
        return answered

    def _read(self, request: HotRequest, served: ServedModel) -> _Question | None:
        sent = request.scope["headers"]
        headers = dict(sent)
        if len(headers) != len(sent) or headers.get(b"content-type") != b"application/json" or b"origin" in headers:
            return None
        if (told := self._admit(request.scope)) is None:
            return None
        try:
            document = _decode(request.body)
            if type(document) is not dict:
                return None
            asked = _compat(document) if request.scope["path"] == _COMPAT else _predict(document)
            if asked is None:
                return None
            names, options = asked
            texts = [served.predictor.read(name) for name in names]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, PredictionError):
            return None
        return _Question(request, request_id_of(headers), told, texts, options)

    def _admit(self, scope: Scope) -> Sequence[Header] | None:
        """Return what a request that is let in is told of its quota, or None; the ordinary route then refuses it."""
        if not self._admission.needed:
            return ()
        behind_proxy = self._admission.by_address and any(name == b"x-forwarded-for" for name, _ in scope["headers"])
        if not self._admission.immediate or behind_proxy:  # uvicorn's middleware knows which proxy to believe
            return None
        verdict = scope["verdict"] = self._admission.admit(scope["headers"], (scope["client"] or ("",))[0])
        return None if verdict.refusal else verdict.headers

    def _answer(
        self, served: ServedModel, question: _Question, predictions: Sequence[Prediction]
    ) -> tuple[bytes, bytes] | None:
        path, request_id = question.request.scope["path"], question.request_id
        try:
            body = (
                answers.compat_body(predictions[0])
                if path == _COMPAT
                else answers.predict_body(served, request_id, predictions, question.options)
            )
        except PredictionError:
            return None
        self._recorder.record("POST", path, 200, perf_counter() - question.request.arrived, request_id)
        ours = ((b"x-request-id", request_id.encode()), (b"x-model-version", served.version.encode()))
        return _HEAD + header_lines((*question.told, *ours)), body


def _compat(document: dict[str, Any]) -> tuple[list[str], Options] | None:
    name, top_k = document.pop("name", None), document.pop("n_predictions", None)
    if document or type(name) is not str or not _is_count(top_k):
        return None
    return [name], Options(top_k)


def _predict(document: dict[str, Any]) -> tuple[list[str], Options] | None:
    names, top_k = document.pop("names", None), document.pop("top_k", None)
    prior, abstain = document.pop("prior", "natural"), document.pop("abstain", False)
    if document or type(names) is not list or not 1 <= len(names) <= ON_THE_LOOP or not _is_count(top_k):
        return None
    if not all(type(name) is str for name in names) or type(abstain) is not bool:
        return None
    if prior not in ("natural", "uniform"):
        return None
    return names, Options(top_k, prior, abstain)


def _is_count(value: object) -> bool:
    return value is None or type(value) is int

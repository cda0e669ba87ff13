"""Answers to the hot routes without an ASGI app between: what is plainly right, byte for byte as the ordinary route.

Whatever is not (another type, an unknown field, a name that cannot be one) is left to the ordinary route, so there is
one place that says what is wrong with it.
"""

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import msgspec
from starlette.types import Scope

from api import answers
from api.admission import Admission
from api.answers import ON_THE_LOOP, Options
from api.headers import SECURITY_HEADERS, Header, header_lines
from api.problems import FieldError
from api.reload import ModelHost, ServedModel
from api.telemetry import Recorder, request_id_of
from model.errors import PredictionError

_HEAD = header_lines([(b"content-type", b"application/json"), *SECURITY_HEADERS])
_decode = msgspec.json.Decoder().decode


class FastLane:
    """Callable as `protocol.FastLane`."""

    paths: Mapping[bytes, str] = {b"/get_prediction": "/get_prediction", b"/v1/predict": "/v1/predict"}
    """What it may be asked for, by POST: as sent, and as routed."""

    def __init__(self, host: ModelHost, admission: Admission, recorder: Recorder) -> None:
        self._host = host
        self._admission = admission
        self._recorder = recorder
        self._metrics = recorder.metrics
        self._answers = {"/get_prediction": self._compat, "/v1/predict": self._predict}

    def __call__(self, scope: Scope, body: bytes) -> tuple[bytes, bytes] | None:
        """Return header lines and body of a 200, or None."""
        started = perf_counter()
        sent = scope["headers"]
        headers = dict(sent)
        if len(headers) != len(sent) or headers.get(b"content-type") != b"application/json" or b"origin" in headers:
            return None
        if (told := self._admit(scope)) is None:
            return None
        request_id = request_id_of(headers)
        served = self._host.current
        answer = self._answer(served, scope["path"], request_id, body)
        if answer is None:
            return None
        self._recorder.record("POST", scope["path"], 200, perf_counter() - started, request_id)
        ours = ((b"x-request-id", request_id.encode()), (b"x-model-version", served.version.encode()))
        return _HEAD + header_lines((*told, *ours)), answer

    def _admit(self, scope: Scope) -> Sequence[Header] | None:
        """Return what a request that is let in is told of its quota, or None; the ordinary route then refuses it."""
        if not self._admission.needed:
            return ()
        if not self._admission.immediate:
            return None
        verdict = scope["verdict"] = self._admission.admit(scope["headers"], (scope["client"] or ("",))[0])
        return None if verdict.refusal else verdict.headers

    def _answer(self, served: ServedModel, path: str, request_id: str, body: bytes) -> bytes | None:
        try:
            document = _decode(body)
            if type(document) is not dict:
                return None
            return self._answers[path](served, request_id, document)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, PredictionError, FieldError):
            return None

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

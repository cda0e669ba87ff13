"""Requests of every kind that users send, each with its right answer by version."""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any
from urllib.parse import quote

from servers import JSON_HEADERS, PRODUCTION_HEADERS

from model.artifacts import Bundle
from model.explain.contributions import explain
from model.explain.similar_names import SimilarNames, similar
from model.prediction import Prediction, Predictor

TOLERANCE = 1e-6
_NDJSON = {"content-type": "application/x-ndjson"}
# Of a hundred requests, and how many different ones there are of each kind.
MIX = {
    "get_prediction": (60, 400),
    "predict one": (20, 200),
    "predict fifty": (5, 20),
    "explain": (7, 50),
    "similar": (7, 50),
    "stream": (1, 5),
}
_FIFTY = 50
_LINES = 300


@dataclass(frozen=True)
class Question:
    """A request as it goes over the wire, and by version what its answer must hold."""

    kind: str
    request: bytes
    expected: Mapping[str, Any]


class Oracle:
    """Answers by one bundle, in the shapes of the service."""

    def __init__(self, bundle: Bundle) -> None:
        self._predictor = Predictor(bundle)
        self._similar = SimilarNames.from_bundle(bundle)

    def compat(self, names: Sequence[str]) -> dict[str, Any]:
        """Return what /get_prediction says of one name."""
        (prediction,) = self._predictor.predict(names, top_k=3)
        return {"predictions": list(prediction.labels), "probabilities": list(prediction.log_probs)}

    def predict(self, names: Sequence[str]) -> dict[str, Any]:
        """Return what /v1/predict says."""
        return {"predictions": [_describe(prediction) for prediction in self._predictor.predict(names, top_k=3)]}

    def stream(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the lines of /v1/predict/stream."""
        return [_describe(prediction) for prediction in self._predictor.predict(names, top_k=3)]

    def explain(self, names: Sequence[str]) -> dict[str, Any]:
        """Return what /v1/explain says of one name."""
        actual = explain(self._predictor, names[0])
        return {"label": actual.label, "log_probability": actual.log_prob, "contributions": list(actual.contributions)}

    def similar(self, names: Sequence[str]) -> dict[str, Any]:
        """Return what /v1/similar says of one name."""
        actual = similar(self._predictor, self._similar, names[0], None, 5)
        return {
            "label": actual.label,
            "similar": [
                {"name": neighbour.name, "similarity": neighbour.similarity} for neighbour in actual.neighbours
            ],
        }


def _describe(prediction: Prediction) -> dict[str, Any]:
    return {
        "labels": list(prediction.labels),
        "probabilities": [exp(log_prob) for log_prob in prediction.log_probs],
        "log_probabilities": list(prediction.log_probs),
        "abstained": prediction.abstained,
    }


def make_questions(names: Sequence[str], oracles: Mapping[str, Oracle]) -> dict[str, list[Question]]:
    """Return questions by kind, asked with the given names in turn."""
    remaining = iter(names)

    def ask(
        kind: str, n_names: int, write: Callable[[list[str]], bytes], answer: Callable[[Oracle, list[str]], Any]
    ) -> list[Question]:
        batches = [[next(remaining) for _ in range(n_names)] for _ in range(MIX[kind][1])]
        return [
            Question(kind, write(batch), {version: answer(oracle, batch) for version, oracle in oracles.items()})
            for batch in batches
        ]

    return {
        "get_prediction": ask(
            "get_prediction", 1, lambda n: _post("/get_prediction", {"name": n[0], "n_predictions": 3}), Oracle.compat
        ),
        "predict one": ask("predict one", 1, _post_names, Oracle.predict),
        "predict fifty": ask("predict fifty", _FIFTY, _post_names, Oracle.predict),
        "explain": ask("explain", 1, lambda n: _post("/v1/explain", {"name": n[0]}), Oracle.explain),
        "similar": ask(
            "similar", 1, lambda n: _request("GET", f"/v1/similar?n=5&name={quote(n[0])}", {}, b""), Oracle.similar
        ),
        "stream": ask("stream", _LINES, _post_lines, Oracle.stream),
    }


def choose(questions: Mapping[str, Sequence[Question]], rng: random.Random) -> Question:
    """Return the next question of a user."""
    (kind,) = rng.choices(list(MIX), [weight for weight, _ in MIX.values()])
    return rng.choice(questions[kind])


def agrees(question: Question, version: str, body: bytes) -> bool:
    """Tell whether an answer is wholly the version's own."""
    if question.kind == "stream":
        return _is_like([json.loads(line) for line in body.splitlines()], question.expected[version])
    actual = json.loads(body)
    return actual.get("model_version", version) == version and _is_like(actual, question.expected[version])


def _is_like(actual: Any, expected: Any) -> bool:  # noqa: ANN401 - any JSON
    """Tell whether all that is expected is there, numbers up to rounding; more may be there."""
    if isinstance(expected, dict):
        return all(key in actual and _is_like(actual[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return len(actual) == len(expected) and all(map(_is_like, actual, expected))
    if isinstance(expected, float):
        return math.isclose(actual, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(actual == expected)


def _post_names(names: list[str]) -> bytes:
    return _post("/v1/predict", {"names": names, "top_k": 3})


def _post_lines(names: list[str]) -> bytes:
    lines = "".join(json.dumps(name) + "\n" for name in names)
    return _request("POST", "/v1/predict/stream?top_k=3", _NDJSON, lines.encode())


def _post(path: str, document: dict[str, Any]) -> bytes:
    return _request("POST", path, JSON_HEADERS, json.dumps(document).encode())


def _request(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    all_headers = {"host": "localhost", **headers, **PRODUCTION_HEADERS, "content-length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body

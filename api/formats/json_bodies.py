"""Predictions to the JSON bodies of answers; for the hot path and the ordinary routes alike."""

from collections.abc import Sequence
from math import exp
from typing import Any, TypeVar

import msgspec

from api.classify.classifier import Answer, Options
from model.prediction import Prediction

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


def compat_body(answer: Answer) -> bytes:
    """Return the body of POST /get_prediction."""
    (prediction,) = answer.predictions
    return _encode({"predictions": prediction.labels, "probabilities": prediction.log_probs})


def predict_body(answer: Answer, request_id: str, options: Options) -> bytes:
    """Return the body of POST /v1/predict."""
    return _encode(
        {
            "model_version": answer.served.version,
            "request_id": request_id,
            "predictions": [describe(prediction, options) for prediction in answer.predictions],
        }
    )


def describe(prediction: Prediction, options: Options) -> dict[str, Any]:
    """Return one prediction in its shape under /v1."""
    shown = options.shown(prediction)
    return {
        "labels": shown.labels,
        "probabilities": [exp(log_prob) for log_prob in shown.log_probs],
        "log_probabilities": shown.log_probs,
        "abstained": shown.abstained,
    }


def fill_up(values: Sequence[T], width: int, filler: T) -> list[T]:
    """Return values and as many fillers as a row of this width lacks."""
    return [*values, *[filler] * (width - len(values))]

"""Predictions to the bytes of an answer; what an ordinary route and the fast lane have in common. Knows no request."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

import msgspec
from fastapi import Response

from api.classify.served_model import ServedModel
from api.observability.metrics import Metrics
from api.problems import FieldError
from model.errors import InvalidNameError
from model.prediction import Prediction, Prior

FEW_NAMES = 8
"""So few names take less time than a hop to a thread and back, and hold no probe up."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Options:
    """How names are to be answered under /v1; with `abstain`, what is not familiar gets no labels."""

    top_k: int | None = None
    prior: Prior = "natural"
    abstain: bool = False


class JsonResponse(Response):
    """JSON that is bytes already."""

    media_type = "application/json"


def predict_compat(served: ServedModel, metrics: Metrics, name: str, top_k: int | None) -> bytes:
    """Return the body of POST /get_prediction.

    Raises:
        PredictionError: the name or the number of labels cannot be answered.
    """
    predictions = served.predictor.predict([name], top_k)
    body = compat_body(predictions[0])
    metrics.count_predictions(predictions)
    return body


def compat_body(prediction: Prediction) -> bytes:
    """Return a prediction as POST /get_prediction gives it. Raises InvalidNameError if it has no label."""
    if not prediction.labels:
        raise InvalidNameError("Most letters of the name do not occur in the names the model was trained on.")
    return _encode({"predictions": prediction.labels, "probabilities": prediction.log_probs})


def predict(
    served: ServedModel,
    metrics: Metrics,
    request_id: str,
    names: Sequence[str],
    options: Options,
) -> bytes:
    """Return the body of POST /v1/predict.

    Raises:
        FieldError: a name cannot be one; it says which.
        PredictionError: the number of labels or the prior cannot be answered.
    """
    predictions = predict_names(served, metrics, names, options, field="names")
    return predict_body(served, request_id, predictions, options)


def predict_body(served: ServedModel, request_id: str, predictions: Sequence[Prediction], options: Options) -> bytes:
    """Return predictions as POST /v1/predict gives them."""
    return _encode(
        {
            "model_version": served.version,
            "request_id": request_id,
            "predictions": [describe(prediction, abstain=options.abstain) for prediction in predictions],
        }
    )


def predict_names(
    served: ServedModel, metrics: Metrics, names: Sequence[str], options: Options, *, field: str
) -> list[Prediction]:
    """Return and count one prediction a name, as `options` say but for `abstain`; `field` holds the names.

    Raises as `predict` does.
    """
    try:
        predictions = served.predictor.predict(names, options.top_k, options.prior)
    except InvalidNameError:
        raise _at_its_place(served, names, field) from None
    metrics.count_predictions(predictions)
    return predictions


def _at_its_place(served: ServedModel, names: Sequence[str], field: str) -> FieldError:
    """Return the error of the first name that cannot be one."""
    for place, name in enumerate(names):
        try:
            served.predictor.read(name)
        except InvalidNameError as error:
            return FieldError(f"{field}.{place}", str(error))
    raise AssertionError("one of them was refused")


def describe(prediction: Prediction, *, abstain: bool) -> dict[str, Any]:
    """Return one prediction in its shape under /v1; see `Options`."""
    withheld = abstain and prediction.abstained is not None
    log_probs = () if withheld else prediction.log_probs
    return {
        "labels": () if withheld else prediction.labels,
        "probabilities": [exp(log_prob) for log_prob in log_probs],
        "log_probabilities": log_probs,
        "abstained": prediction.abstained,
    }

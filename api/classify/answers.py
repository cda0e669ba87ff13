"""Predictions to the bytes of an answer; what an ordinary route and the fast lane have in common. Knows no request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, TypeVar

import msgspec
from fastapi import Response

from api.classify.served_model import ServedModel
from api.observability.metrics import Metrics
from api.problems import FieldError
from model.constants import DEFAULT_TOP_K
from model.errors import InvalidNameError
from model.prediction import Prediction, Prior

FEW_NAMES = 8
"""So few names take less time than a hop to a thread and back, and hold no probe up."""

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Options:
    """How names are to be answered under /v1; with `abstain`, what is not familiar gets no labels."""

    top_k: int | None = None
    prior: Prior = "natural"
    abstain: bool = False

    def width(self, served: ServedModel) -> int:
        """Return how many labels a row of fixed width has room for."""
        return self.top_k or min(DEFAULT_TOP_K, len(served.predictor.labels))


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
        place, reason = next(_find_invalid(served, names))
        raise FieldError(f"{field}.{place}", reason) from None
    metrics.count_predictions(predictions)
    return predictions


def predict_each(
    served: ServedModel, metrics: Metrics, names: Sequence[str], options: Options
) -> list[Prediction | str]:
    """Return and count the prediction of each name, or the sentence that says why it cannot be a name."""
    invalid: dict[int, str] = {}
    try:
        predictions = served.predictor.predict(names, options.top_k, options.prior)
    except InvalidNameError:
        invalid = dict(_find_invalid(served, names))
        valid = [name for place, name in enumerate(names) if place not in invalid]
        predictions = served.predictor.predict(valid, options.top_k, options.prior)
    metrics.count_predictions(predictions)
    remaining = iter(predictions)
    return [invalid[place] if place in invalid else next(remaining) for place in range(len(names))]


def _find_invalid(served: ServedModel, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the places of the names that cannot be names, and why."""
    for place, name in enumerate(names):
        try:
            served.predictor.read(name)
        except InvalidNameError as error:
            yield place, str(error)


def as_shown(prediction: Prediction, *, abstain: bool) -> Prediction:
    """Return a prediction as an answer gives it: without labels if it abstains and `abstain` holds."""
    return Prediction((), (), prediction.abstained) if abstain and prediction.abstained else prediction


def describe(prediction: Prediction, *, abstain: bool) -> dict[str, Any]:
    """Return one prediction in its shape under /v1; see `Options`."""
    shown = as_shown(prediction, abstain=abstain)
    return {
        "labels": shown.labels,
        "probabilities": [exp(log_prob) for log_prob in shown.log_probs],
        "log_probabilities": shown.log_probs,
        "abstained": shown.abstained,
    }


def fill_up(values: Sequence[T], width: int, filler: T) -> list[T]:
    """Return values and as many fillers as a row of this width lacks."""
    return [*values, *[filler] * (width - len(values))]

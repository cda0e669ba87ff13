"""The use case: names and options to predictions by the served model."""

from collections.abc import Sequence
from typing import NamedTuple

from api.classify.batching import Batcher
from api.classify.served_model import ModelHost, ServedModel
from api.classify.workers import Workers
from api.name_quota import NameQuota
from api.observability.metrics import Metrics
from api.recording import Recording
from model.constants import DEFAULT_TOP_K
from model.errors import InvalidNameError
from model.prediction import Prediction
from model.priors import Prior

FEW_NAMES = 8
"""So few names take less time than a hop to a thread and back, and hold no probe up."""


class Options(NamedTuple):
    """How names are to be answered; with `abstain`, what is not familiar gets no labels."""

    top_k: int | None = None
    prior: Prior = "natural"
    abstain: bool = False
    needs_label: bool = False
    """Refuse a name that gets no label at all."""

    def width(self, served: ServedModel) -> int:
        """Return how many labels a row of fixed width has room for."""
        return self.top_k or min(DEFAULT_TOP_K, len(served.predictor.labels))

    def shown(self, prediction: Prediction) -> Prediction:
        """Return a prediction as an answer gives it: without labels where it abstains and that is asked for."""
        return Prediction((), (), prediction.abstained) if self.abstain and prediction.abstained else prediction


class Answer(NamedTuple):
    """One prediction a name, in the order of the names, and the model that made them all."""

    served: ServedModel
    predictions: Sequence[Prediction]


class InvalidNameAtError(InvalidNameError):
    """A name of a list cannot be one; `place` counts from 0."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


class Classifier:
    """Answers few names on the event loop, together with those of other requests, and many in a thread."""

    def __init__(self, host: ModelHost, metrics: Metrics, workers: Workers) -> None:
        self._host = host
        self._metrics = metrics
        self._workers = workers
        self._batcher = Batcher(metrics)

    async def classify(
        self,
        names: Sequence[str],
        options: Options,
        quota: NameQuota = NameQuota.unlimited,
        recording: Recording = Recording.off,
    ) -> Answer:
        """Return one prediction a name, once the quota admits them and they are recorded.

        Raises:
            InvalidNameAtError: a name cannot be one.
            PredictionError: the number of labels or the prior cannot be answered.
            RateLimitedError: the quota does not admit so many names.
            OverloadedError: too many lists wait already.
            RequestLogFullError: they cannot be recorded.
        """
        if quota is not NameQuota.unlimited:
            await quota.charge(len(names))
        answer = await self._predict(names, options)
        if options.needs_label and not all(prediction.labels for prediction in answer.predictions):
            raise InvalidNameError("Most letters of the name do not occur in the names the model was trained on.")
        if recording is not Recording.off:
            await recording.answered(answer.served.version, names, answer.predictions, options)
        return answer

    async def _predict(self, names: Sequence[str], options: Options) -> Answer:
        served = self._host.current
        if len(names) <= FEW_NAMES:
            texts = _read(served, names)
            return Answer(served, await self._batcher.predict(served, texts, options.top_k, options.prior))
        predictions = await self._workers.run(_predict, served, names, options)
        self._metrics.count_predictions(predictions)
        return Answer(served, predictions)


def classify_each(
    served: ServedModel, metrics: Metrics, names: Sequence[str], options: Options
) -> list[Prediction | str]:
    """Return the prediction of each name, or the sentence that says why it cannot be a name; for a worker thread."""
    outcomes = served.predictor.predict_each(names, options.top_k, options.prior)
    metrics.count_predictions([outcome for outcome in outcomes if not isinstance(outcome, str)])
    return outcomes


def _predict(served: ServedModel, names: Sequence[str], options: Options) -> Sequence[Prediction]:
    return served.predictor.predict_read(_read(served, names), options.top_k, options.prior)


def _read(served: ServedModel, names: Sequence[str]) -> list[str]:
    """Return names as the network reads them. Raises InvalidNameAtError."""
    texts: list[str] = []
    try:
        for name in names:
            texts.append(served.predictor.read(name))  # noqa: PERF401 - its length tells which name is invalid
    except InvalidNameError as error:
        raise InvalidNameAtError(len(texts), str(error)) from None
    return texts

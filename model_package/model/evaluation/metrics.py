"""Judge log-probabilities against labels: figures over all and per label, how sure they are, and calibration.

Knows no network and no file.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from model.evaluation.intervals import Draws, Interval, bootstrap, wilson
from model.utils import Ids

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class LabelMetrics:
    """How one label fares; precision and recall are 0 where nothing was predicted or nothing is there."""

    label: str
    n: int
    precision: float
    recall: float
    f1: float
    precision_interval: Interval
    recall_interval: Interval


@dataclass(frozen=True)
class Metrics:
    """Figures over one held-out set, as it is: label frequencies are those of the data (the natural prior)."""

    n: int
    accuracy: float
    top_3_accuracy: float
    macro_f1: float
    balanced_accuracy: float
    nll: float
    expected_calibration_error: float


@dataclass(frozen=True)
class CalibrationBin:
    """The names whose confidence lies from `lower` to `upper`; means and interval are of no use where n is 0."""

    lower: float
    upper: float
    n: int
    confidence: float
    accuracy: float
    accuracy_interval: Interval


def evaluate(log_probs: NDArray[np.float64], label_ids: Ids, labels: tuple[str, ...]) -> Metrics:
    """Return the metrics of log-probabilities (N, L) against true labels (N,); means run over labels that occur."""
    figures = _Outcomes(log_probs, label_ids, len(labels)).figures(np.arange(len(label_ids))[None])
    return Metrics(n=len(label_ids), **{name: float(values[0]) for name, values in figures.items()})


def metric_intervals(log_probs: NDArray[np.float64], label_ids: Ids, labels: tuple[str, ...]) -> dict[str, Interval]:
    """Return a 95% interval for each metric of `evaluate`: how it would vary over other names of the same kind."""
    intervals = bootstrap(_Outcomes(log_probs, label_ids, len(labels)).figures, len(label_ids))
    return {name: (max(low, 0), min(high, inf if name == "nll" else 1)) for name, (low, high) in intervals.items()}


def label_metrics(log_probs: NDArray[np.float64], label_ids: Ids, labels: tuple[str, ...]) -> list[LabelMetrics]:
    """Return precision, recall and F1 per label from log-probabilities (N, L) and true labels (N,)."""
    predicted = log_probs.argmax(axis=1)
    n_true, n_predicted, n_right = (
        np.bincount(ids, minlength=len(labels)) for ids in (label_ids, predicted, label_ids[predicted == label_ids])
    )
    precision, recall, f1 = _scores(n_true, n_predicted, n_right)
    columns = (labels, n_true.tolist(), precision.tolist(), recall.tolist(), f1.tolist())
    return [
        LabelMetrics(*row) for row in zip(*columns, wilson(n_right, n_predicted), wilson(n_right, n_true), strict=True)
    ]


def calibration_bins(log_probs: NDArray[np.float64], label_ids: Ids) -> list[CalibrationBin]:
    """Return 15 equal-width bins of confidence with the accuracy in each."""
    outcomes = _Outcomes(log_probs, label_ids, log_probs.shape[1])
    n, confident, right = (
        np.bincount(outcomes.bins, weights, CALIBRATION_BINS) for weights in (None, outcomes.confidence, outcomes.right)
    )
    edges = (np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS).tolist()
    means = ((total / np.maximum(n, 1)).tolist() for total in (confident, right))
    columns = (edges[:-1], edges[1:], n.tolist(), *means, wilson(right.astype(np.int64), n))
    return [CalibrationBin(*row) for row in zip(*columns, strict=True)]


class _Outcomes:
    """What became of N labelled names; figures of any resample of them follow without their log-probabilities."""

    def __init__(self, log_probs: NDArray[np.float64], label_ids: Ids, n_labels: int) -> None:
        ranked = np.argsort(-log_probs, axis=1, kind="stable")
        self._n_labels = n_labels
        self._label_ids = label_ids
        self._predicted = ranked[:, 0]
        self._in_top_3 = (ranked[:, :3] == label_ids[:, None]).any(axis=1)
        self._nll = -log_probs[np.arange(len(label_ids)), label_ids]
        self.right = self._predicted == label_ids
        self.confidence = np.exp(log_probs.max(axis=1))
        self.bins = np.minimum((self.confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)

    def figures(self, draws: Draws) -> dict[str, NDArray[np.float64]]:
        """Return the metrics (R,) of R resamples (R, N)."""
        right = self.right[draws]
        n_true, n_predicted = (_count(ids[draws], self._n_labels) for ids in (self._label_ids, self._predicted))
        n_right = _count(np.where(right, self._label_ids[draws], self._n_labels), self._n_labels + 1)[:, :-1]
        _, recall, f1 = _scores(n_true, n_predicted, n_right)
        n_occurring = (n_true > 0).sum(axis=1)
        return {
            "accuracy": right.mean(axis=1),
            "top_3_accuracy": self._in_top_3[draws].mean(axis=1),
            "macro_f1": f1.sum(axis=1) / n_occurring,
            "balanced_accuracy": recall.sum(axis=1) / n_occurring,
            "nll": self._nll[draws].mean(axis=1),
            "expected_calibration_error": self._calibration_error(draws),
        }

    def _calibration_error(self, draws: Draws) -> NDArray[np.float64]:
        """Return the mean gap between confidence and accuracy over the bins, per resample (R,).

        Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.
        """
        gaps = _count(self.bins[draws], CALIBRATION_BINS, (self.right - self.confidence)[draws])
        return np.asarray(np.abs(gaps).sum(axis=1) / draws.shape[1])


def _count(ids: Ids, n_ids: int, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return how often, or with what weight, each id occurs in each row of (R, N): (R, n_ids)."""
    cells = ids + n_ids * np.arange(len(ids))[:, None]
    counts = np.bincount(cells.ravel(), None if weights is None else weights.ravel(), n_ids * len(ids))
    return np.asarray(counts.reshape(len(ids), n_ids), dtype=np.float64)


def _scores(
    n_true: NDArray[np.number], n_predicted: NDArray[np.number], n_right: NDArray[np.number]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision, recall and F1 of counts (..., L); a label that does not occur scores 0."""
    precision = n_right / np.maximum(n_predicted, 1)
    recall = n_right / np.maximum(n_true, 1)
    return precision, recall, 2 * n_right / np.maximum(n_true + n_predicted, 1)

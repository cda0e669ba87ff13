"""Metrics of log-probabilities against labels: overall, per label, with intervals, and calibration."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Self

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


@dataclass(frozen=True)
class Answers:
    """A model's answers to N labelled names: labels predicted (N,), with what confidence (N,).

    Its methods take positions of resamples (R, N) and return a value for each resample (R,).
    """

    label_ids: Ids
    predicted: Ids
    confidence: NDArray[np.float64]
    n_labels: int

    @classmethod
    def from_log_probs(cls, log_probs: NDArray[np.float64], label_ids: Ids) -> Self:
        """Return the most probable answers of log-probabilities (N, L)."""
        return cls(label_ids, log_probs.argmax(axis=1), np.exp(log_probs.max(axis=1)), log_probs.shape[1])

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer (N,) is true."""
        return np.equal(self.predicted, self.label_ids)

    @cached_property
    def bins(self) -> Ids:
        """The bin of equal width in which the confidence of each answer (N,) lies."""
        return np.minimum((self.confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)

    def accuracy(self, draws: Draws) -> NDArray[np.float64]:
        """Return the share of true answers."""
        return np.asarray(self.right[draws].mean(axis=1))

    def macro_f1(self, draws: Draws) -> NDArray[np.float64]:
        """Return the mean F1 over the labels that occur."""
        n_true, _, _, f1 = self._label_scores(draws)
        return np.asarray(f1.sum(axis=1) / (n_true > 0).sum(axis=1))

    def balanced_accuracy(self, draws: Draws) -> NDArray[np.float64]:
        """Return the mean recall over the labels that occur."""
        n_true, _, recall, _ = self._label_scores(draws)
        return np.asarray(recall.sum(axis=1) / (n_true > 0).sum(axis=1))

    def calibration_error(self, draws: Draws) -> NDArray[np.float64]:
        """Return the mean gap between confidence and accuracy over the bins.

        Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.
        """
        gaps = _count(self.bins[draws], CALIBRATION_BINS, (self.right - self.confidence)[draws])
        return np.asarray(np.abs(gaps).sum(axis=1) / draws.shape[1])

    def _label_scores(
        self, draws: Draws
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return how often each label occurs, and its precision, recall and F1 (R, L)."""
        label_ids = self.label_ids[draws]
        n_true, n_predicted = _count(label_ids, self.n_labels), _count(self.predicted[draws], self.n_labels)
        n_right = _count(label_ids, self.n_labels, self.right[draws].astype(np.float64))
        return n_true, *_scores(n_true, n_predicted, n_right)


def evaluate(log_probs: NDArray[np.float64], label_ids: Ids, labels: tuple[str, ...]) -> Metrics:
    """Return the metrics of log-probabilities (N, L) against true labels (N,); means run over labels that occur."""
    assert log_probs.shape[1] == len(labels)
    values = _metrics(log_probs, label_ids)(np.arange(len(label_ids))[None])
    return Metrics(n=len(label_ids), **{name: float(value[0]) for name, value in values.items()})


def metric_intervals(log_probs: NDArray[np.float64], label_ids: Ids) -> dict[str, Interval]:
    """Return a 95% interval for each metric of `evaluate`: how it would vary over other names of the same kind."""
    intervals = bootstrap(_metrics(log_probs, label_ids), len(label_ids))
    return {name: (max(low, 0), min(high, inf if name == "nll" else 1)) for name, (low, high) in intervals.items()}


def _metrics(log_probs: NDArray[np.float64], label_ids: Ids) -> Callable[[Draws], dict[str, NDArray[np.float64]]]:
    """Return a function from resamples (R, N) to every metric (R,) of them."""
    answers = Answers.from_log_probs(log_probs, label_ids)
    in_top_3 = (np.argsort(-log_probs, axis=1, kind="stable")[:, :3] == label_ids[:, None]).any(axis=1)
    nll = -log_probs[np.arange(len(label_ids)), label_ids]
    return lambda draws: {
        "accuracy": answers.accuracy(draws),
        "top_3_accuracy": in_top_3[draws].mean(axis=1),
        "macro_f1": answers.macro_f1(draws),
        "balanced_accuracy": answers.balanced_accuracy(draws),
        "nll": nll[draws].mean(axis=1),
        "expected_calibration_error": answers.calibration_error(draws),
    }


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
    answers = Answers.from_log_probs(log_probs, label_ids)
    n, confident, right = (
        np.bincount(answers.bins, weights, CALIBRATION_BINS) for weights in (None, answers.confidence, answers.right)
    )
    edges = (np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS).tolist()
    means = ((total / np.maximum(n, 1)).tolist() for total in (confident, right))
    columns = (edges[:-1], edges[1:], n.tolist(), *means, wilson(right.astype(np.int64), n))
    return [CalibrationBin(*row) for row in zip(*columns, strict=True)]


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

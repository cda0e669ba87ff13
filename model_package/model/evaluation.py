"""Judge log-probabilities against labels. Knows no network and no file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.utils import Ids

_CALIBRATION_BINS = 15


@dataclass(frozen=True)
class LabelMetrics:
    """How one label fares; precision and recall are 0 where nothing was predicted or nothing is there."""

    label: str
    n: int
    precision: float
    recall: float
    f1: float


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


def label_metrics(log_probs: NDArray[np.float64], label_ids: Ids, labels: tuple[str, ...]) -> list[LabelMetrics]:
    """Return precision, recall and F1 per label from log-probabilities (N, L) and true labels (N,)."""
    predicted = log_probs.argmax(axis=1)
    n_labels = len(labels)
    n_true = np.bincount(label_ids, minlength=n_labels)
    n_predicted = np.bincount(predicted, minlength=n_labels)
    n_right = np.bincount(label_ids[predicted == label_ids], minlength=n_labels)
    precision = n_right / np.maximum(n_predicted, 1)
    recall = n_right / np.maximum(n_true, 1)
    f1 = 2 * n_right / np.maximum(n_true + n_predicted, 1)
    columns = (labels, n_true.tolist(), precision.tolist(), recall.tolist(), f1.tolist())
    return [LabelMetrics(*row) for row in zip(*columns, strict=True)]


def evaluate(log_probs: NDArray[np.float64], label_ids: Ids, labels: tuple[str, ...]) -> Metrics:
    """Return the metrics of log-probabilities (N, L) against true labels (N,); means run over labels that occur."""
    occurring = [row for row in label_metrics(log_probs, label_ids, labels) if row.n]
    ranked = np.argsort(-log_probs, axis=1, kind="stable")
    return Metrics(
        n=len(label_ids),
        accuracy=float((ranked[:, 0] == label_ids).mean()),
        top_3_accuracy=float((ranked[:, :3] == label_ids[:, None]).any(axis=1).mean()),
        macro_f1=float(np.mean([row.f1 for row in occurring])),
        balanced_accuracy=float(np.mean([row.recall for row in occurring])),
        nll=float(-log_probs[np.arange(len(label_ids)), label_ids].mean()),
        expected_calibration_error=expected_calibration_error(log_probs, label_ids),
    )


def expected_calibration_error(log_probs: NDArray[np.float64], label_ids: Ids) -> float:
    """Return the mean gap between confidence and accuracy over 15 equal-width bins of confidence.

    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.
    """
    confidence = np.exp(log_probs.max(axis=1))
    right = log_probs.argmax(axis=1) == label_ids
    bins = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(label_ids))
